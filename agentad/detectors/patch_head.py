"""A head that learns from a few outlined anomalies, real and invented, what anomalous patches look like.

Small networks see a patch's features, those around it, and the unsupervised score of the patch, and say which share of
the patch is anomalous. Each learns from all folds of the normal images but one, and from all anomalies, whose
unmarked patches are normal too. Half of what a network sees is normal images, and a part of these their hardest
patches; of the anomalies' half the real ones get as much as all invented ones.

Patches are coarse beside small anomalies. So the networks judge a grid `fine` times as fine, of features and scores
interpolated between patches (bicubic), and learn from outlines as fine as they are given.

With s the unsupervised score on a scale where held-out normals have median 0 and 95th percentile 1, and z the mean of
the networks' log odds on a scale made in the same way,

    local = (1 − trust) s + trust z         item = mean of the highest

The unsupervised score stays in, so that kinds of anomaly that nobody has outlined are still found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from agentad.backbones.threads import torch_threads
from agentad.detectors.bank_diffusion import Scale
from agentad.detectors.base import Floats, Scores, State
from agentad.detectors.folds import group_folds
from agentad.detectors.judged import Judged
from agentad.detectors.pooling import top_mean
from agentad.detectors.whitening import Whitening
from agentad.errors import InputError

_SAMPLE = 40_000
"""Patches of normal images, at most, that directions are learned from."""
_CELLS = 200_000
"""Cells of normal images, about, that are learned from."""
_HARD = 0.05
"""Share of the normal cells, those with the highest unsupervised scores, that counts as hard."""
_BATCH = 512
_RATE = 3e-3
_DECAY = 0.05
_DROPPED = 0.1
"""Share of the inputs that a network does not see while it learns."""
_FAR = 20.0
"""Unsupervised scores beyond it, in 95th percentiles of normals, are all the same to a network."""


class PatchHead:
    """Marks patches by few outlined anomalies and an unsupervised score together. Higher = more anomalous.

    Args:
        components: directions of the features that the networks see.
        width: width of the networks.
        steps: training steps of each network.
        folds: number of networks; each learns from all folds of the normals but one, and judges that one.
        trust: weight of the networks beside the unsupervised score, 0 (none) to 1 (nothing else).
        fine: cells of the map along the side of a patch.
        pool: an image's score is the mean of the highest cells, as many as make up this many patches.
    """

    held_out: Scores
    """After `fit`: scores of the normal images, each by the network that has not seen it or its group."""

    def __init__(
        self,
        *,
        components: int = 64,
        width: int = 32,
        steps: int = 300,
        folds: int = 3,
        trust: float = 0.5,
        fine: int = 3,
        pool: int = 4,
    ) -> None:
        self.components = components
        self.width = width
        self.steps = steps
        self.folds = folds
        self.trust = trust
        self.fine = fine
        self.pool = pool
        self._networks: list[nn.Sequential] = []

    def fit(self, normal: Judged, real: Judged, invented: Judged | None = None, *, seed: int = 0) -> Self:
        """Learn from normal images with their held-out scores, real anomalies, and perhaps invented ones.

        `where` of the anomalies may be some times as fine as their patches, best `fine` times, (n, fine · h, fine · w).

        Raises:
            InputError: no anomaly at all, no normal image, normals of a single group, anomalies without `where`, with
                one of another grid or of which none marks a patch, or items without maps of scores.
        """
        anomalies = [part for part in (real, invented) if part is not None and len(part)]
        where = self._checked(normal, anomalies)
        groups = np.arange(len(normal)) if normal.group is None else normal.group
        fold = group_folds(groups, self.folds, seed)
        rng = np.random.default_rng(seed)
        patches = (
            _drawn_patches(normal.x, rng),
            *(_marked(part.x, own) for part, own in zip(anomalies, where, strict=True)),
        )
        self._whitening = _directions(patches[0], np.concatenate(patches[1:]), self.components, rng)
        self._usual = Scale.of(_map(normal.scores))
        pools = [
            _Pool.of_anomalies([_finer(seen, self.fine) for seen in self._seen(part)], own)
            for part, own in zip(anomalies, where, strict=True)
        ]
        hard = float(np.quantile(_map(normal.scores), 1 - _HARD))
        parts = [
            self._normal_pool(normal.take(np.flatnonzero(fold == k)), len(normal), hard, rng)
            for k in range(fold.max() + 1)
        ]
        self._networks = []
        z = np.empty((len(normal), *self._grid(normal)), np.float32)
        for k in range(len(parts)):
            others = _Pool.joined([part for i, part in enumerate(parts) if i != k])
            self._networks.append(self._learn([others, *pools], seed + k))
            own = np.flatnonzero(fold == k)
            z[own] = self._log_odds(self._networks[-1:], normal.take(own))
        self._scale = Scale.of(z)
        self.held_out = self._fused(normal.scores, z)
        return self

    def score(self, items: Judged) -> Scores:
        """Scores (n,) and maps (n, fine · h, fine · w) of images; 1 is a high score of a normal cell.

        Raises:
            InputError: items without maps of scores.
        """
        return self._fused(items.scores, self._log_odds(self._networks, items))

    def state(self) -> State:
        """The directions, the networks' weights, each name prefixed by its network's number, and the scales."""
        arrays: dict[str, NDArray[Any]] = {
            "mean": self._whitening.mean,
            "matrix": self._whitening.matrix,
            "scales": np.array([[s.centre, s.spread] for s in (self._usual, self._scale)]),
        }
        for k, network in enumerate(self._networks):
            arrays |= {f"{k}.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
        names = ("components", "width", "steps", "folds", "trust", "fine", "pool")
        return State(arrays, {name: getattr(self, name) for name in names})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The head that `state` came from, without `held_out`."""
        head, arrays = cls(**state.settings), state.arrays
        head._whitening = Whitening(arrays["mean"], arrays["matrix"])
        head._usual, head._scale = (Scale(*ends) for ends in arrays["scales"].tolist())
        for k in range(len({name.partition(".")[0] for name in arrays if name[0].isdigit()})):
            weights = {n.partition(".")[2]: torch.from_numpy(a) for n, a in arrays.items() if n.startswith(f"{k}.")}
            network = _network(weights["0.weight"].shape[1], head.width)
            network.load_state_dict(weights)
            head._networks.append(network.eval())
        return head

    def _checked(self, normal: Judged, anomalies: list[Judged]) -> list[Floats]:
        """Where each of the anomalies' cells is anomalous, (n, fine · h, fine · w)."""
        if not len(normal) or not anomalies:
            count = sum(map(len, anomalies))
            raise InputError(f"a head learns from normal images and anomalies, got {len(normal)} and {count}")
        where = [self.outlines(part) for part in anomalies]
        for part, own in zip(anomalies, where, strict=True):
            if not np.any(own > 0):
                raise InputError(
                    f"the masks of {len(part)} anomalies mark no patch; check that they are masks of these images"
                )
        return where

    def _grid(self, items: Judged) -> tuple[int, int]:
        return self.fine * items.x.shape[1], self.fine * items.x.shape[2]

    def outlines(self, part: Judged) -> Floats:
        """Which share of each cell of anomalies is anomalous, (n, fine · h, fine · w). Raises InputError."""
        if part.where is None:
            raise InputError(
                f"{len(part)} anomalies are not outlined, and a patch head learns from outlines. Give a mask for each "
                "of them, or use the detector without a head."
            )
        patches, cells = np.array(part.x.shape[1:3]), np.array(part.where.shape[1:])
        times = int(cells[0] // patches[0])
        if len(part.where) != len(part) or not times or np.any(cells != times * patches):
            raise InputError(
                f"outlines of shape {part.where.shape} for patches of {part.x.shape[:3]}; give one value a patch, or "
                f"{self.fine} x {self.fine}"
            )
        where = part.where.repeat(self.fine, axis=1).repeat(self.fine, axis=2)
        return _by_blocks(where, self._grid(part)).mean(axis=(2, 4))  # type: ignore[no-any-return]

    def _seen(self, items: Judged) -> Iterator[NDArray[np.float32]]:
        """What a network sees of each patch of each image, (h, w, d).

        The features of a patch, their mean over the patches around it, and the scores of these, in rows.
        """
        scores = self._usual.apply(_map(items.scores)).astype(np.float32)
        for x, s in zip(items.x, scores, strict=True):
            own = self._whitening.apply(x[None])[0]
            around = ndimage.uniform_filter(own, (3, 3, 1), mode="nearest")
            damped = np.pad(np.sign(s) * np.log1p(np.minimum(np.abs(s), _FAR)), 1, mode="edge")
            beside = sliding_window_view(damped, (3, 3)).reshape(*s.shape, 9)
            yield np.concatenate([own, around, beside], axis=-1)

    def _normal_pool(self, part: Judged, images: int, hard: float, rng: np.random.Generator) -> _Pool:
        """Of each of so many `images` as many cells, half of which are hard if it has them."""
        most = max(1, _CELLS // images)
        cells, tough = [], []
        for seen, local in zip(self._seen(part), self._scores_finely(part.scores, self._grid(part)), strict=True):
            is_hard = (local > hard).ravel()
            picked = np.concatenate(
                [rng.permutation(np.flatnonzero(group))[: -(-most // 2)] for group in (is_hard, ~is_hard)]
            )
            cells.append(_finer(seen, self.fine).reshape(-1, seen.shape[-1])[picked])
            tough.append(is_hard[picked])
        return _Pool.of_normals(np.concatenate(cells), np.concatenate(tough))

    @torch_threads()
    def _learn(self, pools: list[_Pool], seed: int) -> nn.Sequential:
        generator = torch.Generator().manual_seed(seed)
        network = _network(pools[0].cells.shape[1], self.width, generator)
        optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=self.steps)
        counts = _counts(len(pools) - 1)
        network.train()
        for _ in range(self.steps):
            drawn = [pool.draw(count, generator) for pool, count in zip(pools, counts, strict=True)]
            x, y = (torch.cat(part) for part in zip(*drawn, strict=True))
            keep = (torch.rand(x.shape, generator=generator) > _DROPPED).float() / (1 - _DROPPED)
            loss = functional.binary_cross_entropy_with_logits(network(x * keep)[:, 0], y)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        return network.eval()

    @torch_threads()
    @torch.no_grad()
    def _log_odds(self, networks: list[nn.Sequential], items: Judged) -> NDArray[np.float32]:
        """(n, fine · h, fine · w): the mean over `networks`.

        First layers are linear, as interpolation is, and their outputs are fewer than their inputs: they come first.
        """
        first, last = ([cast(nn.Linear, network[i]) for network in networks] for i in (0, 2))
        weight, bias = torch.cat([layer.weight for layer in first]), torch.cat([layer.bias for layer in first])
        out, offset = torch.cat([layer.weight[0] for layer in last]), torch.cat([layer.bias for layer in last]).sum()
        z = np.empty((len(items), *self._grid(items)), np.float32)
        for seen, found in zip(self._seen(items), z, strict=True):
            inner = _finer(functional.linear(torch.from_numpy(seen), weight, bias).numpy(), self.fine)
            found[:] = (functional.gelu(torch.from_numpy(inner)) @ out + offset).numpy() / len(networks)
        return z

    def _fused(self, scores: Scores, z: NDArray[np.float32]) -> Scores:
        s = self._usual.apply(self._scores_finely(scores, z.shape[1:]))
        local = ((1 - self.trust) * s + self.trust * self._scale.apply(z)).astype(np.float32)
        doubt = scores.doubt
        if doubt is not None:
            doubt = doubt.repeat(self.fine, axis=1).repeat(self.fine, axis=2)
        return Scores(top_mean(local, self.pool * self.fine**2), local, doubt=doubt, category=scores.category)

    def _scores_finely(self, scores: Scores, grid: tuple[int, ...]) -> NDArray[np.float32]:
        """The unsupervised scores (n, fine · h, fine · w)."""
        found = np.empty((len(scores.item), *grid), np.float32)
        for local, out in zip(_map(scores), found, strict=True):
            out[:] = _finer(local.astype(np.float32)[..., None], self.fine)[..., 0]
        return found


@dataclass(frozen=True)
class _Pool:
    """Cells to learn from, and how often each is drawn."""

    cells: Tensor
    """(n, d)"""
    share: Tensor
    """(n,) anomalous share of each."""
    weight: Tensor
    """(n,)"""

    @classmethod
    def of_normals(cls, cells: NDArray[np.float32], hard: NDArray[np.bool_]) -> Self:
        """`cells` (n, d), of which the `hard` (n,) are drawn half of the time, if there are any."""
        weight = 1 / len(hard) + hard / max(hard.sum(), 1)
        return cls(torch.from_numpy(cells), torch.zeros(len(hard)), torch.from_numpy(weight))

    @classmethod
    def of_anomalies(cls, seen: list[NDArray[np.float32]], where: Floats) -> Self:
        """Two thirds of the draws are marked cells, each image's as often as the root of how many it has."""
        marked = where.reshape(len(where), -1) > 0
        weight = marked / np.sqrt(np.maximum(marked.sum(axis=1, keepdims=True), 1))
        weight = 2 * weight / weight.sum() + ~marked / max((~marked).sum(), 1)
        cells = np.stack(seen).reshape(-1, seen[0].shape[-1])
        return cls(*(torch.from_numpy(a) for a in (cells, where.ravel().astype(np.float32), weight.ravel())))

    @classmethod
    def joined(cls, pools: list[_Pool]) -> Self:
        """All of them, each cell as often as in its own."""
        return cls(*(torch.cat([getattr(pool, name) for pool in pools]) for name in ("cells", "share", "weight")))

    @cached_property
    def _often(self) -> Tensor:
        return self.weight.double().cumsum(0)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` cells (count, d), and the anomalous share (count,) of each."""
        at = torch.rand(count, generator=generator, dtype=torch.float64) * self._often[-1]
        index = torch.searchsorted(self._often, at).clamp(max=len(self._often) - 1)
        return self.cells[index], self.share[index]


def _counts(kinds: int) -> list[int]:
    """Patches of a batch from normal images and from each of one or two kinds of anomalies."""
    return [_BATCH // 2] + [_BATCH // 2 // kinds] * kinds


def _network(inputs: int, width: int, generator: torch.Generator | None = None) -> nn.Sequential:
    first, last = nn.Linear(inputs, width), nn.Linear(width, 1)
    if generator is not None:
        for layer in (first, last):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(first, nn.GELU(), last)


def _finer(cells: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    """(h, w, d) to (times · h, times · w, d), bicubic between the centres."""
    if times == 1:
        return cells
    down, across = (_between(side, times) for side in cells.shape[:2])
    rows = np.tensordot(down, cells, axes=(1, 0))  # (times h, w, d)
    return np.ascontiguousarray(np.matmul(across, rows))


@cache
def _between(side: int, times: int) -> NDArray[np.float32]:
    """(times · side, side): how much each of the coarse cells counts for each of the fine ones."""
    square = torch.eye(side)[None, None]
    fine = functional.interpolate(square, size=(times * side, side), mode="bicubic", align_corners=False)
    return fine[0, 0].numpy()


def _drawn_patches(x: Floats, rng: np.random.Generator) -> Floats:
    flat = x.reshape(-1, x.shape[-1])
    return flat[np.sort(rng.choice(len(flat), min(_SAMPLE, len(flat)), replace=False))]


def _marked(x: Floats, where: Floats) -> Floats:
    """The patches (m, c) of `x` (n, h, w, c) that hold a marked cell."""
    marked: Floats = x[_by_blocks(where, x.shape[1:3]).max(axis=(2, 4)) > 0]
    return marked


def _by_blocks(cells: Floats, grid: tuple[int, ...]) -> Floats:
    """(n, a · h, b · w) as (n, h, a, w, b), for a `grid` (h, w)."""
    n, height, width = cells.shape
    return cells.reshape(n, grid[0], height // grid[0], grid[1], width // grid[1])


def _directions(normal: Floats, marked: Floats, components: int, rng: np.random.Generator) -> Whitening:
    """Those of normal patches, and a fifth as many draws of marked ones."""
    extra = marked[rng.integers(len(marked), size=max(1, len(normal) // 5))]
    return Whitening.fit(np.concatenate([normal, extra]), components=components, power=0.2)


def _map(scores: Scores) -> Floats:
    if scores.local is None:
        raise InputError("the unsupervised detector gives no map of scores; use one for images, such as bank-diffusion")
    return scores.local
