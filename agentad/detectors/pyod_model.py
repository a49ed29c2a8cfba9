"""Any detector of rows in PyOD (https://github.com/yzhao062/pyod), by the name of its class, with its defaults.

Names are looked up among the classes that the installed package itself keeps in `pyod.models`; nothing else can be
imported. Detectors of graphs, time series, sounds, texts and pictures are left out.

PyOD's models can be saved by pickle only, and a pickle runs code. So what is kept are the rows that were learned from,
the name and the seed, and `restore` fits again. Every draw comes from the seed, so that this gives the same model. Some
scores kept beside the rows show whether it did, for another version of PyOD may well fit another.
"""

from __future__ import annotations

import random
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.detectors.cross_fitted import CrossFitted
from agentad.errors import InputError, MissingExtra

_PACKAGE = "pyod.models"
_CLASS = re.compile(r"^class ([A-Z]\w*)\((?:BaseDetector|BaseDeepLearningDetector)\)", re.MULTILINE)
_NOT_OF_ROWS = ("audio_", "base", "embedding", "pyg_", "ts_")
"""How the files begin whose classes judge other things than rows."""
_PROBES = 50
"""Rows whose scores are kept, to know a model again."""


@cache
def models() -> dict[str, str]:
    """The module of each detector of rows in the installed PyOD, by the name of its class. Imports none of them.

    Raises:
        MissingExtra: PyOD is not installed.
    """
    try:
        spec = find_spec(_PACKAGE)
    except ModuleNotFoundError as error:
        raise MissingExtra("pyod: PyOD is not installed; install it with `pip install 'agentad[pyod]'`") from error
    found: dict[str, str] = {}
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.py")):
            if not path.stem.startswith(_NOT_OF_ROWS):
                for name in _CLASS.findall(path.read_text(encoding="utf-8")):
                    found.setdefault(name, f"{_PACKAGE}.{path.stem}")
    return dict(sorted(found.items()))


def learned(name: str, z: Floats, seed: int) -> Any:
    """PyOD's detector called `name`, with its defaults, fitted on rows z (n, d).

    Raises:
        InputError: there is no such detector, or it cannot be made with defaults or learn from these rows.
        MissingExtra: PyOD is not installed.
    """
    if name not in models():
        raise InputError(f"pyod.model = {name!r}: PyOD has no such detector of rows; there are {', '.join(models())}")
    with _contained(name, seed):
        kind = getattr(import_module(models()[name]), name)
    with _contained(name, seed):  # again, for only now is torch there if it is needed
        drawn = {"random_state": seed} if "random_state" in signature(kind).parameters else {}
        return kind(**drawn).fit(np.asarray(z, dtype=np.float64))


class Refitted:
    """A fitted detector of PyOD, and what it takes to fit it again."""

    def __init__(self, name: str, rows: Floats, seed: int) -> None:
        self._name, self._rows, self._seed = name, np.asarray(rows, dtype=np.float32), seed
        self._model = learned(name, self._rows, seed)

    def judge(self, z: Floats) -> Floats:
        """PyOD's `decision_function` of rows z (m, d).

        Raises:
            InputError: it cannot judge them.
        """
        if not len(z):
            return np.zeros(0)
        with _contained(self._name, self._seed):
            found = np.asarray(self._model.decision_function(np.asarray(z, dtype=np.float64)), dtype=np.float64)
            if not np.isfinite(found).all():
                raise ValueError("scores that are not finite")
        return found.reshape(len(z))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The rows that were learned from, and the scores of the first of them."""
        return {"rows": self._rows, "probes": self.judge(self._rows[:_PROBES])}


class PyodModel(CrossFitted):
    """A detector of PyOD on scaled rows. Encoded rows are (n, d), unscaled.

    Some of PyOD's detectors, ECOD and COPOD among them, rank new rows among those they are given together: the score of
    a row then depends on its company.

    Args:
        model: name of the class, such as KNN, ECOD or IForest.
        references: most training rows that are learned from and kept, drawn at random where there are more.
    """

    def __init__(self, *, model: str = "KNN", references: int = 5000) -> None:
        self.model = model
        self.references = references

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {"model": self.model, "references": self.references}

    def _used(self, n: int, seed: int) -> NDArray[np.bool_]:
        used = np.zeros(n, dtype=bool)
        used[np.random.default_rng(seed).permutation(n)[: self.references]] = True
        return used

    def _learn(self, z: Floats, seed: int) -> Refitted:
        return Refitted(self.model, z, seed)

    def _restored(self, arrays: dict[str, NDArray[Any]]) -> Refitted:
        again = Refitted(self.model, arrays["rows"], self._seed)
        if not np.allclose(again.arrays()["probes"], arrays["probes"], rtol=1e-5, atol=1e-8):
            raise InputError(
                f"PyOD's {self.model}, fitted again on the rows it was saved with, scores otherwise than it did; "
                "install the version of PyOD that it was saved with"
            )
        return again


@contextmanager
def _contained(name: str, seed: int) -> Iterator[None]:
    """PyOD at work: global generators start from `seed` and are put back, prints go to standard error.

    Raises:
        InputError: whatever PyOD or a library below it raised.
    """
    before, numbers = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")  # PyOD's deep detectors import it; the others do without
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        if torch is not None:
            stack.enter_context(torch.random.fork_rng(devices=[]))
            torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        except Exception as error:  # each of PyOD's detectors fails in its own way
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                f"PyOD's {name} cannot be used on these rows: {reason}; choose another of its models"
            ) from error
        finally:
            random.setstate(before)
            np.random.set_state(numbers)
