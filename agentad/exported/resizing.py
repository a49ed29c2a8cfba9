"""Resizing images and maps inside the graph, the way it is done outside.

`resized` in torch is what `backbones.pixels.resized` does. ONNX has an operation for bicubic resizing too, but rounds
differently: half a percent of the pixels come out one grey level off, which moves image scores by a hundredth of their
spread. So torch's integer arithmetic is rebuilt from exact parts, following
https://github.com/pytorch/pytorch/blob/v2.9.0/aten/src/ATen/native/cpu/UpSampleKernel.cpp. Notation, for one side of n
pixels made `size` pixels, horizontal first:

    scale     n / size
    w         weights (size, n) in float64, rows summing to 1: the cubic kernel, a = -1/2, stretched by max(scale, 1)
    2^p       the largest power, up to 2^22, with which the highest weight rounds to less than 2^15
    q         w · 2^p, rounded half away from zero
    out       (Σ q · pixel + 2^(p-1)) >> p, clamped to 0 … 255

Sums of q · pixel are taken by two 8-bit integer products, of q's high and low byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

REACH = 2.0
"""Half the width of the cubic kernel."""
MOST_BITS = 22
INT16 = 1 << 15
_UINT8, _INT32, _DOUBLE, _INT64 = 2, 6, 11, 7  # onnx.TensorProto's numbers


@torch.library.custom_op("agentad::resized", mutates_args=())
def resized(image: Tensor, height: int, width: int) -> Tensor:
    """(1, H, W, 3) uint8 as (1, 3, height, width) uint8: bicubic, averaged over the covered pixels when shrinking."""
    planes = image.permute(0, 3, 1, 2)
    if planes.shape[2:] == (height, width):
        return planes.clone()
    scaled = functional.interpolate(planes, size=(height, width), mode="bicubic", antialias=True, align_corners=False)
    return scaled.contiguous()


@resized.register_fake
def _(image: Tensor, height: int, width: int) -> Tensor:
    return image.new_empty(1, 3, height, width)


@torch.library.custom_op("agentad::spread", mutates_args=())
def spread(patch_map: Tensor, image: Tensor) -> Tensor:
    """A map float32 (h, w) at the size of `image` (1, H, W, 3), as (H, W): bilinear between patch centres."""
    size = (image.shape[1], image.shape[2])
    grown = functional.interpolate(patch_map[None, None], size=size, mode="bilinear", antialias=True)
    return grown[0, 0].contiguous()


@spread.register_fake
def _(patch_map: Tensor, image: Tensor) -> Tensor:
    return patch_map.new_empty(image.shape[1], image.shape[2])


def translations() -> dict[Any, Any]:
    """What torch's exporter writes for the two operations above."""
    return {torch.ops.agentad.resized.default: _resized, torch.ops.agentad.spread.default: _spread}


def _op() -> Any:
    from onnxscript import opset18

    return opset18


def _constant(values: Any, dtype: type[Any] = np.float64) -> Any:
    from onnx.numpy_helper import from_array

    return _op().Constant(value=from_array(np.asarray(values, dtype)))


def _side(shape: Any, axis: int) -> Any:
    """One side of the image as a scalar."""
    op = _op()
    return op.Squeeze(op.Slice(shape, _constant([axis], np.int64), _constant([axis + 1], np.int64)))


def _resized(image: Any, height: int, width: int) -> Any:
    op, zero, middle = _op(), _constant(0, np.uint8), _constant(128, np.uint8)
    shape = op.Cast(op.Shape(image), to=_DOUBLE)
    planes = op.Transpose(image, perm=[0, 3, 1, 2])
    high, low, power = _weights(_side(shape, 2), width)
    high, low = op.Transpose(high, perm=[1, 0]), op.Transpose(low, perm=[1, 0])  # (W, width)
    across = op.MatMulInteger(planes, high, zero, middle), op.MatMulInteger(planes, low, zero, zero)
    planes = _rounded(*across, power)
    high, low, power = _weights(_side(shape, 1), height)
    down = op.MatMulInteger(high, planes, middle, zero), op.MatMulInteger(low, planes, zero, zero)
    return _rounded(*down, power)


def _weights(n: Any, size: int) -> tuple[Any, Any, Any]:
    """High bytes (plus 128) and low bytes of q, both uint8 (size, n), and 2^p as an int32 scalar."""
    op, one, none, half = _op(), _constant(1), _constant(0), _constant(0.5)
    scale = op.Div(n, _constant(size))
    stretch = op.Max(scale, one)
    support = op.Mul(stretch, _constant(REACH))
    centre = op.Mul(scale, _constant((np.arange(size) + 0.5)[:, None]))
    first = op.Max(op.Floor(op.Add(op.Sub(centre, support), half)), none)
    last = op.Min(op.Floor(op.Add(op.Add(centre, support), half)), n)
    pixel = op.Range(none, n, one)
    inside = op.And(op.GreaterOrEqual(pixel, first), op.Less(pixel, last))
    away = op.Abs(op.Div(op.Add(op.Sub(pixel, centre), half), stretch))
    weight = op.Where(inside, _cubic(away), none)
    weight = op.Div(weight, op.ReduceSum(weight, _constant([1], np.int64), keepdims=1))
    powers = _constant(2.0 ** np.arange(MOST_BITS + 1))
    fits = op.Less(op.Floor(op.Add(op.Mul(op.ReduceMax(weight, keepdims=0), powers), half)), _constant(INT16))
    power = op.ReduceMax(op.Where(fits, powers, one), keepdims=0)
    scaled = op.Mul(weight, power)
    q = op.Mul(op.Sign(scaled), op.Floor(op.Add(op.Abs(scaled), half)))
    high = op.Floor(op.Div(q, _constant(256)))
    low = op.Sub(q, op.Mul(high, _constant(256)))
    return op.Cast(op.Add(high, _constant(128)), to=_UINT8), op.Cast(low, to=_UINT8), op.Cast(power, to=_INT32)


def _cubic(x: Any) -> Any:
    """The cubic kernel with a = -1/2 at x >= 0."""
    op, two = _op(), _constant(2)
    near = op.Add(op.Mul(op.Mul(op.Sub(op.Mul(x, _constant(1.5)), _constant(2.5)), x), x), _constant(1))
    far = op.Mul(op.Sub(op.Mul(op.Add(op.Mul(x, _constant(-0.5)), _constant(2.5)), x), _constant(4)), x)
    return op.Where(op.Less(x, _constant(1)), near, op.Where(op.Less(x, two), op.Add(far, two), _constant(0)))


def _rounded(high: Any, low: Any, power: Any) -> Any:
    """(256 high + low + 2^(p-1)) >> p as uint8; what is negative becomes 0 either way."""
    op, none = _op(), _constant(0, np.int32)
    total = op.Add(op.Mul(high, _constant(256, np.int32)), low)
    total = op.Max(op.Add(total, op.Div(power, _constant(2, np.int32))), none)
    return op.Cast(op.Min(op.Div(total, power), _constant(255, np.int32)), to=_UINT8)


def _spread(patch_map: Any, image: Any) -> Any:
    op = _op()
    one = _constant([1], np.int64)
    size = op.Slice(op.Shape(image), one, _constant([3], np.int64))
    wide = op.Unsqueeze(patch_map, _constant([0, 1], np.int64))
    sizes = op.Concat(one, one, size, axis=0)
    grown = op.Resize(wide, None, None, sizes, mode="linear", antialias=1, coordinate_transformation_mode="half_pixel")
    return op.Squeeze(grown, _constant([0, 1], np.int64))
