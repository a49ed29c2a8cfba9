"""Zero-shot: an image is compared with sentences about normal and damaged objects, as in WinCLIP.

Notation, after https://arxiv.org/abs/2303.14814 (WinCLIP without reference images):

    t−, t+     mean embeddings of sentences about a normal and about an anomalous object
    f          embedding of the image, or of a window of patches
    s(f)       the second of softmax(τ ⟨f, t−⟩, τ ⟨f, t+⟩), with the model's own temperature τ
    m_k        for each patch, the harmonic mean of s over the windows of k × k patches that hold it
    local      the harmonic mean of s(image) and of m_k over the scales k
    item       s(image) + the highest local score, halved

WinCLIP's windows are 2 and 3 patches wide, and its zero-shot image score is s(image) alone; the highest local score
beside it is what WinCLIP+ adds, and finds what is small.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad import assets
from agentad.backbones.packed import pack, unpacked
from agentad.backbones.threads import torch_threads
from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.errors import InputError

PROMPTS = "zero-shot/states.md"
LONGEST = 60
"""Characters of an object's name."""
_MODEL = "model/"
_LEAST = 1e-6


class ZeroShotClip:
    """Nothing is learned from the data: items to learn from only say where the threshold lies.

    Args:
        model: folder or hub id (`owner/name@commit`) of a CLIP or SigLIP model.
        object_name: what the images show, such as `screw`, in the language of the sentences.
        windows: sides of the windows, in patches.
    """

    held_out: Scores
    _vision: Any
    _states: NDArray[np.float64]
    """(2, d) embeddings of the normal and the anomalous state."""
    _calibrated: bool

    def __init__(self, *, model: str = "", object_name: str = "object", windows: str = "2,3") -> None:
        self.model = model
        self.object_name = object_name
        self.windows = windows
        self._windows = _parsed(windows)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the scores has to know."""
        said = []
        if self._vision.untrained:
            said.append("The weights of zero-shot-clip are random, not trained: its scores mean nothing.")
        if not self._calibrated:
            said.append("No item to learn from: the threshold of zero-shot-clip is not calibrated.")
        return tuple(said)

    @torch_threads()
    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Read the sentences, and score the images `x` (n, h, w, 3) from 0 to 1; n may be 0.

        Raises:
            InputError: no model is named, the object's name is no name, or the windows do not fit the model.
            WeightsMissing: the model cannot be loaded.
            MissingExtra: its tokenizer needs a package that is not installed.
        """
        from agentad.backbones.clip import ClipPair  # brings in transformers, seconds of CPU

        if not self.model:
            raise InputError(
                "zero-shot-clip.model is empty; give the folder of a CLIP or SigLIP model, or a hub id with its commit"
            )
        if x.ndim != 4 or x.shape[3] != 3:
            raise InputError(f"zero-shot-clip: items of shape {x.shape[1:]}; it works on the encoder `pixels`")
        pair = ClipPair(self.model)
        self._vision = pair.vision()
        if max(self._windows) > self._vision.side:
            raise InputError(
                f'zero-shot-clip.windows = "{self.windows}": the model has {self._vision.side} patches a side'
            )
        states = sentences(self.object_name)
        self._states = np.stack([_mean(pair.sentences(states[name])) for name in ("normal", "anomalous")])
        self._calibrated = len(x) > 0
        self.held_out = self.score(x)
        return self

    @torch_threads()
    def score(self, x: Floats) -> Scores:
        """Scores of images `x` (n, h, w, 3), from 0 to 1."""
        side = self._vision.side
        whole, local = np.empty(len(x)), np.empty((len(x), side, side))
        for which, image in enumerate(x):
            whole[which] = self._anomalous(self._vision.image(image))
            maps = [_spread(self._anomalous(self._vision.windows(image, k)), k, side) for k in self._windows]
            local[which] = harmonic(np.stack([np.full((side, side), whole[which]), *maps]))
        highest = local.reshape(len(x), side**2).max(axis=1) if len(x) else whole
        wide = np.stack([_stretched(one, x.shape[1:3]) for one in local]) if len(x) else np.empty(x.shape[:3])
        return Scores((whole + highest) / 2, wide)

    def state(self) -> State:
        """The image tower and the embeddings of the two states; the sentences are not needed again."""
        with tempfile.TemporaryDirectory() as folder:
            self._vision.save(Path(folder))
            packed = pack(Path(folder), _MODEL)
        arrays = {**packed, "states": self._states, "calibrated": np.array([self._calibrated])}
        return State(arrays, {"model": self.model, "object_name": self.object_name, "windows": self.windows})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from; it needs no weights from anywhere else."""
        from agentad.backbones.clip import ClipVision

        detector = cls(**state.settings)
        with unpacked(state.arrays, _MODEL) as folder:
            detector._vision = ClipVision.load(folder)
        detector._states = state.arrays["states"]
        detector._calibrated = bool(state.arrays["calibrated"][0])
        return detector

    def _anomalous(self, embedded: NDArray[np.float32]) -> NDArray[np.float64]:
        """S of embeddings (..., d), as (...)."""
        cosines = embedded.astype(np.float64) @ self._states.T
        difference = self._vision.temperature * (cosines[..., 0] - cosines[..., 1])
        share: NDArray[np.float64] = 1 / (1 + np.exp(np.clip(difference, -500, 500)))
        return share


def sentences(object_name: str) -> dict[str, list[str]]:
    """Sentences about a `normal` and about an `anomalous` object, from the prompt `PROMPTS`.

    The name is data: it only ever takes the place of `$object`.

    Raises:
        InputError: the name is empty, longer than `LONGEST`, or has more than one line; the prompt lacks a list.
    """
    name = object_name.strip()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise InputError(
            f"zero-shot-clip.object_name = {object_name!r}: give a name of 1 to {LONGEST} printable characters"
        )
    lists: dict[str, list[str]] = {}
    current: list[str] = []
    for line in assets.read("prompts", PROMPTS).splitlines():
        if line.startswith("## "):
            current = lists.setdefault(line[3:].strip(), [])
        elif line.startswith("- "):
            current.append(line[2:].strip())
    missing = [wanted for wanted in ("normal", "anomalous", "photographs") if not lists.get(wanted)]
    if missing:
        raise InputError(f"{assets.find('prompts', PROMPTS)}: no lines below ## {', ## '.join(missing)}")
    return {
        state: [
            photograph.replace("STATE", words.replace("$object", name))
            for words in lists[state]
            for photograph in lists["photographs"]
        ]
        for state in ("normal", "anomalous")
    }


def harmonic(parts: Floats) -> NDArray[np.float64]:
    """Harmonic mean of scores from 0 to 1 over the first axis: high only where all are."""
    mean: NDArray[np.float64] = 1 / np.mean(1 / np.maximum(parts, _LEAST), axis=0)
    return mean


def _spread(scores: NDArray[np.float64], size: int, side: int) -> NDArray[np.float64]:
    """Scores (k, k) of windows of `size` to patches (side, side): the harmonic mean over the windows that hold each."""
    inverse, count = np.zeros((side, side)), np.zeros((side, side))
    for row, column in np.ndindex(size, size):
        at = (slice(row, row + len(scores)), slice(column, column + len(scores)))
        inverse[at] += 1 / np.maximum(scores, _LEAST)
        count[at] += 1
    spread: NDArray[np.float64] = count / inverse
    return spread


def _stretched(local: NDArray[np.float64], size: Sequence[int]) -> NDArray[np.float64]:
    """(side, side) to (h, w), each pixel with its patch's score."""
    rows, columns = (np.arange(n) * len(local) // n for n in size)
    wide: NDArray[np.float64] = local[np.ix_(rows, columns)]
    return wide


def _mean(embedded: NDArray[np.float32]) -> NDArray[np.float64]:
    mean = embedded.astype(np.float64).mean(axis=0)
    unit: NDArray[np.float64] = mean / np.linalg.norm(mean)
    return unit


def _parsed(windows: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\s*[1-9]\d?\s*(,\s*[1-9]\d?\s*)*", windows):
        raise InputError(f'zero-shot-clip.windows = "{windows}": give sides in patches, such as "2,3"')
    return tuple(int(part) for part in windows.split(","))
