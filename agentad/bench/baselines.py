"""Classical methods over z-scored rows, each as its library makes it, with no setting chosen by looking at results.

Each is fitted once, and judges the rows it learned from as its library does. Tools on cards that make the same fits,
such as `gaussian-mixture`, judge those rows by further fits, which is not what a baseline should be charged for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version

from sklearn.neighbors import LocalOutlierFactor

from agentad.bench import pyod_engine
from agentad.bench.case import Case, Fitted
from agentad.detectors.base import Floats, Ints, Scores
from agentad.detectors.gaussian_mixture import mixed
from agentad.detectors.isolation_forest import grown
from agentad.detectors.memory_bank import MemoryBank
from agentad.detectors.robust import scalings

PYOD = "pyod.models.knn"
LOF_NEIGHBOURS = 20
ENGINE = "pyod-engine"

Learn = Callable[[Floats, Ints, int], Fitted]
"""From z-scored rows (n, d), their groups (n,) and a seed."""


def knn(neighbours: int) -> Learn:
    """Mean distance to the nearest rows, all rows remembered."""

    def learn(z: Floats, groups: Ints, seed: int) -> Fitted:
        bank = MemoryBank(neighbours=neighbours, size=len(z)).fit(z, groups=groups, seed=seed)
        return Fitted(bank.held_out, bank.score)

    return learn


def isolation_forest(z: Floats, groups: Ints, seed: int) -> Fitted:
    """scikit-learn's, 100 trees."""
    forest = grown(z, seed=seed)
    return Fitted(Scores(-forest.score_samples(z)), lambda u: Scores(-forest.score_samples(u)))


def lof(z: Floats, groups: Ints, seed: int) -> Fitted:
    """Local outlier factor, scikit-learn's, with 20 neighbours."""
    found = LocalOutlierFactor(n_neighbors=min(LOF_NEIGHBOURS, len(z) - 1), novelty=True).fit(z)
    return Fitted(Scores(-found.negative_outlier_factor_), lambda u: Scores(-found.score_samples(u)))


def gmm(z: Floats, groups: Ints, seed: int) -> Fitted:
    """Negative log-likelihood of a Gaussian mixture with full covariances, scikit-learn's."""
    mixture = mixed(z, seed=seed)
    return Fitted(Scores(-mixture.score_samples(z)), lambda u: Scores(-mixture.score_samples(u)))


def pyod_knn(z: Floats, groups: Ints, seed: int) -> Fitted:
    """PyOD's KNN as it comes: distance to the fifth neighbour."""
    model = import_module(PYOD).KNN().fit(z)
    return Fitted(Scores(model.decision_scores_), lambda u: Scores(model.decision_function(u)))


BASELINES: dict[str, Learn] = {
    "knn1": knn(1),
    "knn5": knn(5),
    "isolation-forest": isolation_forest,
    "lof": lof,
    "gmm": gmm,
    "pyod-knn": pyod_knn,
    ENGINE: pyod_engine.engine,
}
"""By name. A name here wins over a tool's: `isolation-forest` is the same forest either way."""


def installed() -> tuple[str, ...]:
    """Names of the baselines that always run, where they can: PyOD's needs the extra `bench`.

    PyOD is imported here, so that the second this takes is not counted as fitting.
    """
    with suppress(ModuleNotFoundError):
        import_module(PYOD)
    return tuple(name for name in BASELINES if name != ENGINE and (name != "pyod-knn" or PYOD in sys.modules))


def on_request() -> tuple[str, ...]:
    """Names of the baselines that can run here and do so only when named: PyOD's engine, imported as above."""
    with suppress(ModuleNotFoundError):
        import_module(pyod_engine.MODULE)
    return (ENGINE,) if pyod_engine.MODULE in sys.modules else ()


def pyod_version() -> str | None:
    """Of the PyOD that `installed` found."""
    return version("pyod") if PYOD in sys.modules else None


def learn(name: str, case: Case) -> Fitted:
    """The baseline `name`, fitted on z-scores of the case's encoded rows."""
    scaling, _ = scalings(case.x)
    fitted = BASELINES[name](scaling.apply(case.x), case.items.group, case.plan.seed)
    return Fitted(fitted.held_out, lambda x: fitted.score(scaling.apply(x)))
