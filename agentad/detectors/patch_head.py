"""A head that learns from a few outlined anomalies, real and invented, what anomalous patches look like.

Small networks see a patch's features, those around it, and the unsupervised score of the patch, and say which share of
the patch is anomalous. Each learns from all folds of the normal images but one, and from all anomalies, whose
unmarked patches are normal too. Half of what a network sees is normal images, and a part of these their hardest
patches; of the anomalies' half the real ones get as much as all invented ones.

With s(x) the unsupervised score of a patch on a scale where held-out normals have median 0 and 95th percentile 1, and
z(x) the mean of the networks' log odds, on the same scale,

    local = (1 − trust) s + trust z         item = the same of the ranks, in which images are rare among the normal ones

The unsupervised score stays in, so that kinds of anomaly that nobody has outlined are still found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from agentad.backbones.threads import torch_threads
from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.bank_diffusion import Scale
from agentad.detectors.folds import group_folds
from agentad.detectors.judged import Judged
from agentad.detectors.pooling import top_mean
from agentad.detectors.tails import Tails
from agentad.detectors.whitening import Whitening
from agentad.errors import InputError

_SAMPLE = 40_000
"""Patches of normal images, at most, that directions are learned from."""
_HARD = 0.05
"""Share of the normal patches, those with the highest unsupervised scores, that counts as hard."""
_BATCH = 512
_FAR = 20.0
"""Unsupervised scores beyond it, in 95th percentiles of normals, are all the same to a network."""


class PatchHead:
    """Marks patches by few outlined anomalies and an unsupervised score together. Higher = more anomalous.

    Args:
        components: directions of the features that the networks see.
        width: width of the networks.
        steps: training steps of each network.
        folds: number of networks; each learns from all folds of the normals but one, and judges that one.
        trust: weight of the networks beside the unsupervised score, 0 (none) to 1 (nothing else), in the map.
        image_trust: the same in the image's score.
        pool: an image's score is the mean of this many highest patches.
    """

    held_out: Scores
    """After `fit`: scores of the normal images, each by the networks that have not seen it or its group."""

    def __init__(
        self,
        *,
        components: int = 128,
        width: int = 64,
        steps: int = 300,
        folds: int = 3,
        trust: float = 0.6,
        image_trust: float = 0.5,
        pool: int = 4,
    ) -> None:
        self.components = components
        self.width = width
        self.steps = steps
        self.folds = folds
        self.trust = trust
        self.image_trust = image_trust
        self.pool = pool
        self._networks: list[nn.Module] = []

    def fit(self, normal: Judged, real: Judged, invented: Judged | None = None, *, seed: int = 0) -> Self:
        """Learn from normal images with their held-out scores, real anomalies, and perhaps invented ones.

        Raises:
            InputError: no anomaly at all, no normal image, normals of a single group, anomalies without `where` or of
                which none marks a patch, or items without maps of scores.
        """
        anomalies = [part for part in (real, invented) if part is not None and len(part)]
        _refuse(normal, anomalies)
        self._whitening = _directions(normal, anomalies, self.components, seed)
        self._normal_scale = Scale.of(_local(normal))
        groups = np.arange(len(normal)) if normal.group is None else normal.group
        fold = group_folds(groups, self.folds, seed)
        cells = self._cells(normal)
        pools = [_Pool.of_anomalies(self._cells(part), _where(part)) for part in anomalies]
        hard = _hard(_local(normal))
        self._networks = [
            self._learn([_Pool.of_normals(cells[fold != k], hard[fold != k]), *pools], seed + k)
            for k in range(fold.max() + 1)
        ]
        z = np.empty(cells.shape[:3])
        for k, network in enumerate(self._networks):
            z[fold == k] = _log_odds(network, cells[fold == k])
        self._scale = Scale.of(z)
        self._tails = Tails.of(self._image_measures(normal.scores, z))
        self.held_out = self._fused(normal.scores, z, included=True)
        return self

    def score(self, items: Judged) -> Scores:
        """Scores (n,) and maps (n, h, w) of images.

        Raises:
            InputError: items without maps of scores.
        """
        cells = self._cells(items)
        z = np.mean([_log_odds(network, cells) for network in self._networks], axis=0)
        return self._fused(items.scores, z, included=False)

    def state(self) -> State:
        """The directions, the networks' weights, each name prefixed by its network's number, and the scales."""
        arrays: dict[str, NDArray[Any]] = {
            "mean": self._whitening.mean,
            "matrix": self._whitening.matrix,
            "scales": np.array([[s.centre, s.spread] for s in (self._normal_scale, self._scale)]),
            "tails": self._tails.usual,
        }
        for k, network in enumerate(self._networks):
            arrays |= {f"{k}.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
        names = ("components", "width", "steps", "folds", "trust", "image_trust", "pool")
        return State(arrays, {name: getattr(self, name) for name in names})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The head that `state` came from, without `held_out`."""
        head, arrays = cls(**state.settings), state.arrays
        head._whitening = Whitening(arrays["mean"], arrays["matrix"])
        head._normal_scale, head._scale = (Scale(*ends) for ends in arrays["scales"].tolist())
        head._tails = Tails(arrays["tails"])
        numbers = sorted({int(name.partition(".")[0]) for name in arrays if name[0].isdigit()})
        for k in numbers:
            weights = {n.partition(".")[2]: torch.from_numpy(a) for n, a in arrays.items() if n.startswith(f"{k}.")}
            network = _network(weights["0.weight"].shape[1], head.width)
            network.load_state_dict(weights)
            head._networks.append(network.eval())
        return head

    def _cells(self, items: Judged) -> NDArray[np.float32]:
        """(n, h, w, d): what a network sees of each patch."""
        own = self._whitening.apply(items.x)
        around = ndimage.uniform_filter(own, (1, 3, 3, 1), mode="nearest")
        s = self._normal_scale.apply(_local(items)).astype(np.float32)[..., None]
        s = np.sign(s) * np.log1p(np.minimum(np.abs(s), _FAR))
        near = ndimage.maximum_filter(s, (1, 3, 3, 1), mode="nearest")
        return np.concatenate([own, around, s, near], axis=-1)

    @torch_threads()
    def _learn(self, pools: list[_Pool], seed: int) -> nn.Module:
        generator = torch.Generator().manual_seed(seed)
        network = _network(pools[0].cells.shape[1], self.width, generator)
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=self.steps)
        counts = _counts(len(pools) - 1)
        network.train()
        for _ in range(self.steps):
            drawn = [pool.draw(count, generator) for pool, count in zip(pools, counts, strict=True)]
            x, y = (torch.cat(part) for part in zip(*drawn, strict=True))
            keep = (torch.rand(x.shape, generator=generator) > _DROPPED).float() / (1 - _DROPPED)
            loss = functional.binary_cross_entropy_with_logits(network(x * keep)[:, 0], y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return network.eval()

    def _image_measures(self, scores: Scores, z: Floats) -> NDArray[np.float64]:
        """(n, 2): what the detector and what the networks say about each image."""
        return np.stack([np.asarray(scores.item, np.float64), top_mean(z, self.pool)], axis=1)

    def _fused(self, scores: Scores, z: Floats, *, included: bool) -> Scores:
        s, t = self._normal_scale.apply(_map(scores)), self._scale.apply(z)
        local = (1 - self.trust) * s + self.trust * t
        rarity = self._tails.rarity(self._image_measures(scores, z), included=np.full(len(z), included))
        item = rarity @ [1 - self.image_trust, self.image_trust]
        return Scores(item, local.astype(np.float32), doubt=scores.doubt, category=scores.category)


_DROPPED = 0.1
"""Share of the inputs that a network does not see while it learns."""


@dataclass(frozen=True)
class _Pool:
    """Patches to learn from, and how often each is drawn."""

    cells: Tensor
    """(n, d)"""
    share: Tensor
    """(n,) anomalous share of each."""
    often: Tensor
    """(n,) cumulative weights, ending at 1."""

    @classmethod
    def of_normals(cls, cells: NDArray[np.float32], hard: NDArray[np.bool_]) -> Self:
        """Half of the draws are hard patches, where there are any."""
        hard = hard.ravel()
        weight = 0.5 / max(len(hard), 1) + 0.5 * hard / max(hard.sum(), 1)
        return cls._of(cells, np.zeros(hard.shape), weight)

    @classmethod
    def of_anomalies(cls, cells: NDArray[np.float32], where: Floats) -> Self:
        """Two thirds of the draws are marked patches, each image's as often as the root of how many it has."""
        marked = where.reshape(len(where), -1) > 0
        each = np.sqrt(np.maximum(marked.sum(axis=1, keepdims=True), 1))
        weight = marked / each
        weight = 2 / 3 * weight / weight.sum() + 1 / 3 * ~marked / max((~marked).sum(), 1)
        return cls._of(cells, where, weight)

    @classmethod
    def _of(cls, cells: NDArray[np.float32], share: Floats, weight: Floats) -> Self:
        often = np.cumsum(weight.ravel(), dtype=np.float64)
        flat = cells.reshape(-1, cells.shape[-1])
        return cls(torch.from_numpy(flat), torch.from_numpy(share.ravel().astype(np.float32)), torch.from_numpy(often))

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` patches (count, d), and the anomalous share (count,) of each."""
        at = torch.rand(count, generator=generator, dtype=torch.float64) * self.often[-1]
        index = torch.searchsorted(self.often, at).clamp(max=len(self.often) - 1)
        return self.cells[index], self.share[index]


def _counts(kinds: int) -> list[int]:
    """Patches of a batch from normal images and from each of one or two kinds of anomalies."""
    return [_BATCH // 2] + [_BATCH // 2 // kinds] * kinds


def _network(inputs: int, width: int, generator: torch.Generator | None = None) -> nn.Module:
    network = nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, 1))
    if generator is not None:
        for layer in (network[0], network[2]):
            nn.init.normal_(layer.weight, std=layer.weight.shape[1] ** -0.5, generator=generator)
            nn.init.zeros_(layer.bias)
    return network


@torch_threads()
@torch.no_grad()
def _log_odds(network: nn.Module, cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, h, w, d) to (n, h, w)."""
    return np.stack([network(torch.from_numpy(item))[..., 0].numpy() for item in cells])


def _directions(normal: Judged, anomalies: list[Judged], components: int, seed: int) -> Whitening:
    """Those of normal patches and of the anomalies' marked ones, which get a fifth of the weight."""
    rng = np.random.default_rng(seed)
    channels = normal.x.shape[-1]
    flat = normal.x.reshape(-1, channels)
    rows = flat[np.sort(rng.choice(len(flat), min(_SAMPLE, len(flat)), replace=False))]
    marked = np.concatenate([part.x[_where(part) > 0] for part in anomalies])
    extra = marked[rng.integers(len(marked), size=max(1, len(rows) // 5))]
    return Whitening.fit(np.concatenate([rows, extra]), components=components, power=0.2)


def _hard(local: Floats) -> NDArray[np.bool_]:
    return np.asarray(local >= np.quantile(local, 1 - _HARD))


def _map(scores: Scores) -> Floats:
    if scores.local is None:
        raise InputError("the unsupervised detector gives no map of scores; use one for images, such as bank-diffusion")
    return scores.local


def _local(items: Judged) -> Floats:
    return _map(items.scores)


def _where(part: Judged) -> Floats:
    if part.where is None:
        raise InputError(
            f"{len(part)} anomalies are not outlined: a patch head learns from masks. Add a mask for each, or leave "
            "the head out."
        )
    return part.where


def _refuse(normal: Judged, anomalies: list[Judged]) -> None:
    if not len(normal) or not anomalies:
        count = sum(map(len, anomalies))
        raise InputError(f"a head learns from normal images and anomalies, got {len(normal)} and {count}")
    for part in anomalies:
        if not np.any(_where(part) > 0):
            raise InputError(f"the masks of {len(part)} anomalies mark no patch; check that they are the right files")
