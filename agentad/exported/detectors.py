"""Detectors as graphs: features of patches in, scores out. Each is built from the detector's own saved state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.detectors.bank_diffusion import EXAMPLES
from agentad.detectors.base import State
from agentad.detectors.feature_diffusion import AROUND
from agentad.detectors.memory_bank import CENTRES
from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm

Scored = dict[str, Tensor]
"""`score` (1,) and `patch_map` (rows, columns), both float32, and perhaps `neighbour` (rows, columns, 2) int64: the
training item of each patch's nearest normal, and the neighbour's place in that item's grid; and `doubt` (rows, columns)
float32."""
SPARE = 4
"""Extra rows on the shortlist, as in `memory.neighbours`."""


class Nearest(nn.Module):
    """The nearest of some reference rows (n, d), as `memory.neighbours` finds them."""

    def __init__(self, references: NDArray[np.float32]) -> None:
        super().__init__()
        centre = references.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows = torch.from_numpy(references - centre)
        self.register_buffer("centre", torch.from_numpy(centre))
        self.register_buffer("rows", rows)
        self.register_buffer("lengths", rows.square().sum(dim=1))

    def forward(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Distances and indices, both (m, k), of the nearest references of each query (m, d), nearest first.

        The shortlist is made by ‖r‖² − 2 q·r, which loses small distances to cancellation, and measured again.
        """
        rows, lengths = cast(Tensor, self.rows), cast(Tensor, self.lengths)
        q = queries - cast(Tensor, self.centre)
        look, k = min(k + SPARE, len(rows)), min(k, len(rows))
        _, near = torch.topk(lengths - 2 * q @ rows.T, look, largest=False)
        squared = (q[:, None] - rows[near]).square().sum(dim=2)
        squared, order = torch.topk(squared, k, largest=False)
        return squared.sqrt(), near.gather(1, order)


class Bank(nn.Module):
    """The entries of a memory bank."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        super().__init__()
        self.nearest = Nearest(arrays["vectors"])
        self.register_buffer("origin", torch.from_numpy(np.stack([arrays["item"], arrays["cell"]], axis=1)))

    def forward(self, cells: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Distances and indices (m, k), and where the nearest entry of each of `cells` (m, d) came from, (m, 2)."""
        distance, entry = self.nearest(cells, k)
        return distance, entry, cast(Tensor, self.origin)[entry[:, 0]]


class MemoryBankGraph(nn.Module):
    """`detectors.memory_bank`."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.bank = Bank(state.arrays)
        self.neighbours, self.pool = state.settings["neighbours"], state.settings["pool"]

    def forward(self, features: Tensor) -> Scored:
        """(1, rows, columns, channels) to scores."""
        distance, _, origin = self.bank(features.flatten(0, 2), self.neighbours)
        return _scored(distance.mean(dim=1), self.pool, features, origin)


class Steps(nn.Module):
    """`detectors.feature_diffusion` up to the mean length of its denoisers' steps."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(state.arrays["mean"]))
        self.register_buffer("matrix", torch.from_numpy(state.arrays["matrix"]))
        self.sigma = state.settings["sigma"]
        dim, width = state.arrays["matrix"].shape[1], state.settings["width"]
        self.context = min(state.settings["context"], dim)
        self.denoisers = nn.ModuleList(_denoiser(part, dim, width, 8 * self.context) for part in _numbered(state))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(1, rows, columns, channels) to whitened patches (m, d) and their lengths (m,)."""
        mean, matrix = cast(Tensor, self.mean), cast(Tensor, self.matrix)
        cells = features.flatten(0, 2) @ matrix - mean @ matrix
        edm, sigma = Edm(), torch.tensor([self.sigma])
        known = self._around(cells.reshape(*features.shape[:3], -1))
        moved = [edm.denoise(partial(denoiser, context=known), cells, sigma) for denoiser in self.denoisers]
        return cells, torch.stack([(to - cells).norm(dim=1) for to in moved]).mean(dim=0)

    def _around(self, cells: Tensor) -> Tensor:
        """`feature_diffusion.around` of (1, rows, columns, d), as (rows × columns, 8 × context)."""
        rows, columns = cells.shape[1:3]
        framed = nn.functional.pad(cells[..., : self.context].permute(0, 3, 1, 2), (1, 1, 1, 1), mode="replicate")
        shifted = [framed[:, :, i : i + rows, j : j + columns] for i, j in AROUND]
        return torch.cat(shifted, dim=1).permute(0, 2, 3, 1).flatten(0, 2)


class FeatureDiffusionGraph(nn.Module):
    """`detectors.feature_diffusion`."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.steps, self.pool = Steps(state), state.settings["pool"]

    def forward(self, features: Tensor) -> Scored:
        """(1, rows, columns, channels) to scores."""
        return _scored(self.steps(features)[1], self.pool, features)


class BankDiffusionGraph(nn.Module):
    """`detectors.bank_diffusion`."""

    def __init__(self, state: State) -> None:
        super().__init__()
        width = state.arrays["diffusion.0.enter.weight"].shape[0]
        self.steps = Steps(
            _part(state, "diffusion", {k: state.settings[k] for k in ("sigma", "context")} | {"width": width})
        )
        self.bank = Bank(_part(state, "bank", {}).arrays)
        self.register_buffer("usual", torch.from_numpy(state.arrays["usual"]).float())
        self.units, self.scale = state.arrays["units"].tolist(), state.arrays["scale"].tolist()
        trust = float(state.arrays["trust"][0])
        self.local, self.weight = (trust * state.settings[name] for name in ("local", "weight"))
        self.pool = state.settings["pool"]
        levels = state.arrays.get("rarities", np.zeros((0, 0)))
        self.rarities = nn.ModuleList(Interpolation(own, np.linspace(0, 1, len(own))) for own in levels)

    def forward(self, features: Tensor) -> Scored:
        """(1, rows, columns, channels) to scores."""
        cells, lengths = self.steps(features)
        distance, entry, origin = self.bank(cells, EXAMPLES)
        far, long = (usual[entry].mean(dim=1) for usual in cast(Tensor, self.usual))
        parts = ((distance[:, 0] - self.local * far) / self.units[0], (lengths - long) / self.units[1])
        raw = parts[0] + self.weight * parts[1]
        found = _scored((raw - self.scale[0]) / self.scale[1], self.pool, features, origin)
        if len(self.rarities):
            rated = torch.stack([rarity(part) for rarity, part in zip(self.rarities, parts, strict=True)])
            found["doubt"] = (rated.amax(dim=0) - rated.amin(dim=0)).float().reshape(found["patch_map"].shape)
        return found


class Interpolation(nn.Module):
    """`numpy.interp` for knots (n,) in ascending order and their values (n,), n at least 2, in float64."""

    def __init__(self, knots: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("knots", torch.from_numpy(knots.astype(np.float64)))
        self.register_buffer("values", torch.from_numpy(values.astype(np.float64)))

    def forward(self, x: Tensor) -> Tensor:
        """(m,) to (m,)."""
        knots, values, x = cast(Tensor, self.knots), cast(Tensor, self.values), x.double()
        after = (knots < x[:, None]).sum(dim=1).clamp(1, len(knots) - 1)
        low, high = knots[after - 1], knots[after]
        share = ((x - low) / (high - low).clamp(min=1e-300)).clamp(0, 1)
        return values[after - 1] + share * (values[after] - values[after - 1])


class MahalanobisGraph(nn.Module):
    """`detectors.mahalanobis`."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.register_buffer("kept", torch.from_numpy(state.arrays["kept"]))
        self.register_buffer("mean", torch.from_numpy(state.arrays["mean"]))  # (fits, p, d)
        self.register_buffer("whiten", torch.from_numpy(state.arrays["whiten"]))  # (fits, p, d, d)
        self.pool = state.settings["pool"]

    def forward(self, features: Tensor) -> Scored:
        """(1, rows, columns, channels) to scores."""
        kept, mean, whiten = (cast(Tensor, getattr(self, name)) for name in ("kept", "mean", "whiten"))
        cells = features.flatten(0, 2)[:, kept]
        away = cells - mean  # (fits, patches, d), whether there is one Gaussian or one at each position
        steps = away @ whiten[:, 0] if whiten.shape[1] == 1 else (away[:, :, None] @ whiten)[:, :, 0]
        return _scored(steps.norm(dim=2).mean(dim=0), self.pool, features)


GRAPHS: dict[str, Callable[[State], nn.Module]] = {
    "bank-diffusion": BankDiffusionGraph,
    "feature-diffusion": FeatureDiffusionGraph,
    "mahalanobis": MahalanobisGraph,
    "memory-bank": MemoryBankGraph,
}
"""By the name of the detector's card."""


def graph_of_detector(name: str, scorer: Any) -> nn.Module | None:
    """The detector as a graph; None where there is none. A detector that is not ours may have a method `graph`."""
    if name in GRAPHS:
        return GRAPHS[name](scorer.state())
    return cast(nn.Module, scorer.graph()) if hasattr(scorer, "graph") else None


def searching_exactly(scorer: Any) -> Any:
    """The detector with its memory bank searched whole, as a graph does; itself where that is so already."""
    state = scorer.state()
    arrays = {name: array for name, array in state.arrays.items() if name.rpartition(".")[2] != CENTRES}
    return scorer if len(arrays) == len(state.arrays) else type(scorer).restore(State(arrays, state.settings))


def _scored(local: Tensor, pool: int, features: Tensor, origin: Tensor | None = None) -> Scored:
    """The outputs for local scores (m,) of all patches; the item's score is the mean of the `pool` highest."""
    highest, _ = torch.topk(local, min(pool, len(local)))
    found = {"score": highest.mean(dim=0, keepdim=True), "patch_map": local.reshape(features.shape[1:3])}
    return found if origin is None else {**found, "neighbour": origin.reshape(*features.shape[1:3], 2)}


def _denoiser(weights: dict[str, Tensor], dim: int, width: int, context: int) -> MlpDenoiser:
    denoiser = MlpDenoiser(dim, width=width, context=context)
    denoiser.load_state_dict(weights)
    return denoiser


def _numbered(state: State) -> list[dict[str, Tensor]]:
    """The weights of each denoiser, by their names without its number."""
    found: dict[int, dict[str, Tensor]] = {}
    for name, array in state.arrays.items():
        number, _, rest = name.partition(".")
        if number.isdecimal():
            found.setdefault(int(number), {})[rest] = torch.from_numpy(array)
    return [found[number] for number in sorted(found)]


def _part(state: State, name: str, settings: dict[str, Any]) -> State:
    prefix = f"{name}."
    return State({k.removeprefix(prefix): a for k, a in state.arrays.items() if k.startswith(prefix)}, settings)
