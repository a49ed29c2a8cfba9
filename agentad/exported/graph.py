"""The whole detector as one graph: encoder, scores, p-value, flag and map.

Scores are float32. Calibration scores and threshold are rounded down to float32, so that a float32 score compares with
them as it does with the float64 originals.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr, ndtri
from torch import Tensor, nn

from agentad.backbones.threads import torch_threads
from agentad.detectors.conformal import Calibration
from agentad.errors import InputError
from agentad.exported.detectors import Interpolation, graph_of_detector, searching_exactly
from agentad.exported.encoders import encoder_in_float32, graph_of_encoder
from agentad.exported.resizing import spread, translations
from agentad.modalities.image.maps import SMOOTHING
from agentad.tools.adapter import Adapted
from agentad.tools.fitted import FittedDetector

OPSET = 18
"""The first in which ONNX's resizing averages when it shrinks."""
LARGEST = 2_000_000_000
"""Bytes of weights: a protobuf message ends at 2 GiB."""
LONGEST_SIDE = 1 << 16
LEAST_P = 1e-12
_KNOTS = 2048


class Alarm(nn.Module):
    """A score's p-value and flag, as `detectors.conformal.Calibration` gives them."""

    def __init__(self, calibration: Calibration) -> None:
        super().__init__()
        null = calibration._null
        self.register_buffer("threshold", rounded_down(np.array([calibration.threshold.value])))
        self.ranks = null is None
        if null is None:
            self.register_buffer("scores", rounded_down(calibration.scores))
            return
        # ONNX has no Gaussian tail: its logarithm is interpolated between knots, evenly spaced in standard deviations
        rates = ndtr(-np.linspace(-5, -float(ndtri(LEAST_P)), _KNOTS))
        knots = np.array([null.quantile_above(float(rate)) for rate in rates])
        self.logs = Interpolation(knots, np.log(rates))

    def forward(self, score: Tensor) -> tuple[Tensor, Tensor]:
        """(1,) to a p-value float32 (1,) and a flag bool (1,)."""
        flag = score > cast(Tensor, self.threshold)
        if not self.ranks:
            return self.logs(score).exp().float(), flag
        scores = cast(Tensor, self.scores)
        return (1 + (scores >= score).sum(dim=0, keepdim=True)).float() / (len(scores) + 1), flag


class Spread(nn.Module):
    """`modalities.image.maps.upsample`."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        for name, side in (("down", rows), ("across", columns)):
            matrix = gaussian_filter1d(np.eye(side), SMOOTHING, axis=0, mode="nearest")
            self.register_buffer(name, torch.from_numpy(matrix).float())

    def forward(self, patch_map: Tensor, image: Tensor) -> Tensor:
        """(rows, columns) to (H, W)."""
        smooth = cast(Tensor, self.down) @ patch_map @ cast(Tensor, self.across).T
        grown: Tensor = spread(smooth, image)
        return grown


class Whole(nn.Module):
    """Image uint8 (1, H, W, 3) to everything that is said about it, by name."""

    def __init__(
        self, encoder: nn.Module, detector: nn.Module, calibration: Calibration, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        self.encoder, self.detector = encoder, detector
        self.alarm, self.spread = Alarm(calibration), Spread(*grid)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """All outputs, the first four always there: `score`, `p_value`, `flag`, `map`, `patch_map`."""
        found = self.detector(self.encoder(image))
        score, patch_map = found.pop("score"), found.pop("patch_map")
        p_value, flag = self.alarm(score)
        always = {"score": score, "p_value": p_value, "flag": flag, "map": self.spread(patch_map, image)}
        return {**always, "patch_map": patch_map, **found}


def rounded_down(values: NDArray[np.float64]) -> Tensor:
    """The largest float32 numbers that are not above `values`."""
    near = values.astype(np.float32)
    return torch.from_numpy(np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32))


def why_not(fitted: FittedDetector) -> str | None:
    """Why this detector cannot be exported; None where it can."""
    plan = fitted.plan
    if plan.modality != "image":
        return (
            f"detectors of {plan.modality} data cannot: they read columns of text, dates and categories, which a graph "
            "of numbers has no input for; copy the detector folder and use `agentad detect` there"
        )
    if graph_of_encoder(fitted.encoder) is None:
        return f"the encoder {plan.encoder.tool} cannot: nothing in it says how it is written as a graph"
    name = plan.detector.tool
    if isinstance(fitted.scorer, Adapted):
        return (
            f"the detector {name} has an adapter, {fitted.scorer.step.tool}, which cannot be written as a graph; "
            "export a copy of the detector folder without its folder `adapter`"
        )
    if fitted.categories:
        return (
            f"the detector {name} cannot: it is one model for {len(fitted.categories)} categories, and is told by the "
            "folder which one an image is of, which a graph of one image has no input for; fit on the folder of one "
            "category, and export that"
        )
    if graph_of_detector(name, fitted.scorer) is None:
        return f"the detector {name} cannot: nothing in it says how it is written as a graph"
    return None


def in_float32(fitted: FittedDetector) -> FittedDetector:
    """The detector with the same weights, float32 arithmetic and exact search: itself where it has both already."""
    encoder, scorer = encoder_in_float32(fitted.encoder), searching_exactly(fitted.scorer)
    if encoder is fitted.encoder and scorer is fitted.scorer:
        return fitted
    return replace(fitted, encoder=encoder, scorer=scorer)


def whole(fitted: FittedDetector) -> nn.Module:
    """The detector as one module. `why_not` has been asked."""
    encoder = cast(nn.Module, graph_of_encoder(fitted.encoder))
    detector = cast(nn.Module, graph_of_detector(fitted.plan.detector.tool, fitted.scorer))
    return Whole(encoder, detector, fitted.calibration, fitted.encoder.grid).eval()


@torch_threads()
@torch.no_grad()
def write(module: nn.Module, path: Path) -> tuple[str, ...]:
    """Write the module as an ONNX file; returns the names of its outputs.

    Raises:
        InputError: it is larger than an ONNX file can be.
    """
    size = sum(t.numel() * t.element_size() for t in [*module.parameters(), *module.buffers()])
    if size > LARGEST:
        raise InputError(
            f"{size / 1e9:.1f} GB of weights are more than the 2 GB that one ONNX file holds; fit with a smaller `size`"
        )
    example = torch.zeros(1, 301, 203, 3, dtype=torch.uint8)
    names = tuple(module(example))
    sides = {axis: torch.export.Dim(name, min=1, max=LONGEST_SIDE) for axis, name in ((1, "height"), (2, "width"))}
    with _quiet():
        program: Any = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=list(names),
            dynamic_shapes={"image": sides},
            custom_translation_table=translations(),
            verbose=False,
        )
        program.optimize()
        program.save(path, external_data=False)
    return names


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on other libraries away: standard error is the caller's."""
    import logging

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
