"""A detector that was exported, back on the road: `agentad detect` treats it like any other.

::

    export/
        export.json      what `detector.json` says, and the graph's inputs and outputs, versions, weights and parity
        detector.onnx    pixels in; score, p-value, flag and map out
        calibration/     as in the detector's own folder
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from agentad.backbones.encoder import Image
from agentad.detectors.base import Detector, Floats, Scores
from agentad.detectors.memory_bank import Nearest
from agentad.errors import DetectorRefused, MissingExtra, UnreadableData
from agentad.exported.guard import check
from agentad.flow import Plan
from agentad.modalities.shown import shown
from agentad.tools.fitted import FittedDetector, read_manifest, understood, with_calibration

MANIFEST = "export.json"
MODEL = "detector.onnx"
LARGEST = 1 << 31
"""Bytes of a model; protobuf ends there."""
SCORE, LOCAL, DOUBT, ITEM, CELL = range(5)
"""Planes of what `GraphEncoder` gives: the image's score (everywhere the same), the map, how unsure it is, and where
each patch's nearest normal comes from. What a graph does not say is NaN."""


class GraphEncoder:
    """The ONNX graph in the place of an encoder: what it gives for a patch is its scores."""

    def __init__(self, content: bytes) -> None:
        self._session = _session(content)
        kinds = {output.name: output.type for output in self._session.get_outputs()}
        self._names = [name for name in ("score", "patch_map", "doubt", "neighbour") if name in kinds]
        inputs = [(i.name, i.type, len(i.shape)) for i in self._session.get_inputs()]
        if inputs != [("image", "tensor(uint8)", 4)] or not {"score", "patch_map"} <= set(kinds):
            raise ValueError(f"the graph takes {inputs} and gives {sorted(kinds)}")
        planes = self.encode([np.zeros((48, 64, 3), np.uint8)])
        _, self._rows, self._columns, self.channels = planes.shape
        self.says: NDArray[np.bool_] = np.isfinite(planes.reshape(-1, self.channels).sum(axis=0))
        """(planes,) which of them it gives."""

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self._rows, self._columns

    def encode(self, images: Sequence[Image]) -> NDArray[np.float64]:
        """(n, rows, columns, planes) of n images (height, width, 3) uint8."""
        return np.stack([self._planes(image) for image in images])

    def _planes(self, image: Image) -> NDArray[np.float64]:
        feed = {"image": np.ascontiguousarray(image)[None]}
        found = dict(zip(self._names, self._session.run(self._names, feed), strict=True))
        score, patch_map = found["score"], found["patch_map"]
        if score.shape != (1,) or patch_map.ndim != 2 or not np.isfinite(patch_map).all():
            raise ValueError(f"the graph gives a score of shape {score.shape} and a map of shape {patch_map.shape}")
        planes = np.full((*patch_map.shape, CELL + 1), np.nan)
        planes[..., SCORE], planes[..., LOCAL] = score[0], patch_map
        if "doubt" in found:
            planes[..., DOUBT] = found["doubt"]
        if "neighbour" in found:
            planes[..., ITEM:] = found["neighbour"]
        return planes


class GraphScores:
    """Reads the scores out of what `GraphEncoder` gives."""

    def __init__(self, *, doubt: bool) -> None:
        self._doubt = doubt

    def score(self, x: Floats) -> Scores:
        """Scores of (n, rows, columns, planes). Higher = more anomalous."""
        return Scores(x[:, 0, 0, SCORE], x[..., LOCAL], doubt=x[..., DOUBT] if self._doubt else None)


class GraphNeighbours(GraphScores):
    """The same, of a detector that can name the nearest of `items` training items."""

    def __init__(self, items: int, *, doubt: bool) -> None:
        super().__init__(doubt=doubt)
        self._items = items

    def nearest(self, x: Floats) -> Nearest:
        """The nearest remembered normal of each patch (n, rows, columns, planes)."""
        item = np.clip(x[..., ITEM], 0, self._items - 1)  # the graph may be anybody's
        return Nearest(item.astype(np.int64), x[..., CELL].astype(np.int64), x[..., LOCAL])


def is_export(folder: Path) -> bool:
    """Whether `folder` looks like something that was exported."""
    return os.path.lexists(folder / MANIFEST)


def load(folder: Path) -> FittedDetector:
    """The exported detector in `folder`. Needs onnxruntime, and neither torch nor onnx.

    Raises:
        DetectorRefused: damaged, changed since it was exported, or holding what no export of ours does.
        MissingExtra: onnxruntime is not installed.
    """
    document = read_manifest(folder, MANIFEST)
    path = folder / MODEL
    if not path.is_file() or path.stat().st_size >= LARGEST:
        raise DetectorRefused(f"{path}: absent, or 2 GiB or more; export the detector again")
    content = path.read_bytes()
    try:
        check(content)
    except UnreadableData as error:
        raise DetectorRefused(f"{path}: {error}") from error
    with understood(folder):
        encoder = GraphEncoder(content)
        plan = Plan.model_validate(document["plan"])
        if plan.modality != "image":
            raise ValueError(f"an export of {plan.modality} data")
        doubt = bool(encoder.says[DOUBT])
        fitted = with_calibration(plan, encoder, cast(Detector, GraphScores(doubt=doubt)), folder)
        if encoder.says[ITEM]:
            scorer = GraphNeighbours(len(fitted.train_ids), doubt=doubt)
            fitted = replace(fitted, scorer=cast(Detector, scorer))
    return fitted


def _session(content: bytes) -> Any:
    """A session on the CPU, with as many threads as torch would use (see `backbones.threads`)."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(
            "an exported detector needs ONNX Runtime; install it with `pip install 'agentad[export]'`"
        ) from error
    said = os.environ.get("OMP_NUM_THREADS", "")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(said) if said.isdecimal() and int(said) > 0 else 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but this
        raise ValueError(shown(f"ONNX Runtime does not take the graph: {error}")) from error
