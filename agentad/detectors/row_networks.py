"""Cross-fitted networks over scaled table rows: the networks that score new rows also judge the training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.backbones.threads import torch_threads
from agentad.detectors.base import Floats, Ints
from agentad.detectors.folds import group_folds
from agentad.detectors.robust import Scaling, scalings
from agentad.diffusion.train import Loss, Training, train

Judge = Callable[[nn.Module, Tensor], tuple[Tensor, ...]]
"""A network and scaled rows (m, d) to what it says about them, tensors of m rows."""
Build = Callable[[int], nn.Module]
"""Columns d to a network of rows (m, d)."""

FAR = 20.0
"""Standard deviations from the mean at which a value is cut: beyond, networks only extrapolate."""
_VALIDATION_SHARE = 10
_LEAST_VALIDATION = 40
"""Fewest rows to learn from of which one in `_VALIDATION_SHARE` is set aside to know when to stop."""
_BATCH = 2048
_LEARNED_AT_ONCE = 128


@dataclass(frozen=True)
class Budget:
    """What learning may cost."""

    steps: int
    """Steps of each network, at most."""
    seconds: float = 0.0
    """CPU seconds of all networks, at most; 0 for no limit."""

    def each(self, networks: int) -> Training:
        """The training of one of so many networks."""
        seconds = self.seconds / networks if self.seconds else None
        return Training(steps=self.steps, batch=_LEARNED_AT_ONCE, seconds=seconds)


@dataclass(frozen=True)
class RowNetworks:
    """Networks that each learned from all folds of the training rows but one, and the scaling they share.

    Only the scaling, two numbers a column, has seen every row.
    """

    scaling: Scaling
    networks: tuple[nn.Module, ...]

    @classmethod
    @torch_threads()
    def learn(
        cls,
        x: Floats,
        groups: Ints | None,
        *,
        folds: int,
        seed: int,
        build: Build,
        loss: Loss,
        budget: Budget,
        scaling: Scaling | None = None,
    ) -> tuple[Self, Ints]:
        """Networks for the rows x (n, d), and the fold (n,) of each row: network k has not seen fold k nor its groups.

        `scaling` is that of `column_scaling` by default. One row in ten that a network learns from decides when it
        stops, where there are at least 40.

        Raises:
            InputError: fewer than two groups.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        fold = group_folds(groups, folds, seed)
        scaling = column_scaling(x) if scaling is None else scaling
        u = scale(scaling, x)
        training = budget.each(int(fold.max()) + 1)
        networks = []
        for k in range(int(fold.max()) + 1):
            seen = np.flatnonzero(fold != k)
            stop = _validation(groups[seen], seed)
            with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
                torch.manual_seed(seed + k)
                network = build(x.shape[1])
            rows, held = u[seen[~stop]], u[seen[stop]] if stop.any() else None
            train(network, rows, loss=loss, training=training, seed=seed + k, validation=held)
            networks.append(network)
        return cls(scaling, tuple(networks)), fold

    def held_out(self, x: Floats, fold: Ints, judge: Judge) -> tuple[Floats, ...]:
        """What each training row's own network says about it."""
        parts = [_judged(network, scale(self.scaling, x[fold == k]), judge) for k, network in enumerate(self.networks)]
        order = np.argsort(np.concatenate([np.flatnonzero(fold == k) for k in range(len(self.networks))]))
        return tuple(np.concatenate(part)[order] for part in zip(*parts, strict=True))

    def mean(self, x: Floats, judge: Judge) -> tuple[Floats, ...]:
        """The mean over the networks of what they say about new rows x (m, d)."""
        u = scale(self.scaling, x)
        said = [_judged(network, u, judge) for network in self.networks]
        return tuple(np.mean(part, axis=0) for part in zip(*said, strict=True))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The scaling and the networks' weights, each name prefixed by its network's number."""
        arrays: dict[str, NDArray[Any]] = {"centre": self.scaling.centre, "scale": self.scaling.scale}
        for k, network in enumerate(self.networks):
            arrays |= {f"{k}.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
        return arrays

    @classmethod
    def restore(cls, arrays: dict[str, NDArray[Any]], build: Build) -> Self:
        """The networks that `arrays` came from."""
        weights = {name: torch.from_numpy(a.copy()) for name, a in arrays.items() if name[0].isdigit()}
        networks = []
        for k in range(len({name.partition(".")[0] for name in weights})):
            network = build(len(arrays["centre"]))
            network.load_state_dict({n.partition(".")[2]: t for n, t in weights.items() if n.startswith(f"{k}.")})
            networks.append(network.eval())
        return cls(Scaling(arrays["centre"], arrays["scale"]), tuple(networks))


def scale(scaling: Scaling, x: Floats) -> Tensor:
    """Rows x (n, d) in standard deviations from the mean, cut at `FAR`; NaN stays."""
    return torch.from_numpy(np.clip(scaling.apply(x), -FAR, FAR))


def column_scaling(x: Floats) -> Scaling:
    """Mean and standard deviation of what is there in each column of x (n, d); NaN is missing."""
    there = np.isfinite(x)
    if there.all():
        return scalings(x)[0]
    columns = [
        scalings(x[there[:, j], j : j + 1] if there[:, j].any() else np.zeros((1, 1)))[0] for j in range(x.shape[1])
    ]
    return Scaling(np.concatenate([c.centre for c in columns]), np.concatenate([c.scale for c in columns]))


def _validation(groups: Ints, seed: int) -> NDArray[np.bool_]:
    """Which of the rows in `groups` (n,) are set aside to know when to stop."""
    if len(np.unique(groups)) < _LEAST_VALIDATION:
        return np.zeros(len(groups), dtype=bool)
    return np.asarray(group_folds(groups, _VALIDATION_SHARE, seed) == 0)


@torch_threads()
def _judged(network: nn.Module, u: Tensor, judge: Judge) -> tuple[Floats, ...]:
    said = [judge(network, u[at : at + _BATCH]) for at in range(0, len(u), _BATCH)] or [judge(network, u)]
    return tuple(torch.cat(part).detach().numpy().astype(np.float64) for part in zip(*said, strict=True))
