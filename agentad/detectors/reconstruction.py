"""Reconstruction: an image is made normal by diffusion, and scored by what had to change.

    first look    a guess after one step from each of several noise levels, each place hidden in turn
    suspects      places whose first look, in units of held-out normals, is above the `SUSPECT` quantile of these
    second look   a few DDIM steps in which suspects are hidden throughout and start from the highest noise level, and
                  all others from the middle one, pulled towards the image as in DDAD (arXiv 2305.15956)
    score         weighted mean of the first look at every level and of the second look's differences in pixels and
                  features, each in units of its own held-out tail; weights by how well each shows pasted patches

`diffusion.restore` holds the mathematics. Unlike DDAD, the network is small and in-paints from masks, and features are
not adapted to the data.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentad.backbones.encoder import PatchEncoder
from agentad.backbones.filters import PatchFilters
from agentad.backbones.packed import pack, unpacked
from agentad.backbones.threads import torch_threads
from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.folds import group_folds
from agentad.detectors.pooling import top_mean
from agentad.detectors.reconstruction_looks import Looks
from agentad.detectors.reconstruction_maps import FeatureDifference, Usual, smooth, upscaled
from agentad.diffusion.canvas import Canvas, load_autoencoder
from agentad.diffusion.train import Training, train
from agentad.diffusion.unet import ContextUnet
from agentad.errors import InputError

SUSPECT = 0.99
BLUR = 1 / 48
"""Standard deviation of the blur over differences, as a share of the side."""
HIGHEST = 950
"""The highest timestep: above it nothing of the image is left, and v stands for noise that cannot be told from it."""
FILTER_PATCH = 14
PASTED = 24
"""Training images that get a foreign patch, to see which maps show it."""
Maps = list[NDArray[np.float32]]
"""One (n, h, w) for each kind of difference."""
_AUTOENCODER = "autoencoder/"


class Reconstruction:
    """How far an image is from what a diffusion model of normal images makes of it.

    One network learns from each part of the items but its fold, and judges that fold for `held_out`. New images are
    judged by all of them at the price of one: masks are dealt to the networks in turn.

    Args:
        autoencoder: folder or hub id (`owner/name@commit`) of a diffusers `AutoencoderKL`; empty: in pixels.
        cell: side of the hidden squares, in pixels, or in places of the latent; 0: no masks.
        levels: timesteps of the first look, ascending, below 1000; the last one is where suspects start from.
        sampling_steps: DDIM steps of the whole way; those above the highest level are left out.
        pull: weight w of the condition on the image, 0 to 1.
        lighting: `matched` moves each image's median colour to that of the training images first; `kept` does not, and
            sees an image that is too dark as anomalous.
        features: patch features in which image and reconstruction are compared as well; `none`: pixels alone.
        feature_size: side in pixels that both are scaled to for that.
        width: channels of the network's first level.
        fold: side of the squares of pixels (or places) that the network sees as one.
        steps: training steps of each network.
        batch: images a training step.
        folds: number of networks.
        pool: an image's score is the mean of this many highest pixels.
    """

    held_out: Scores

    def __init__(
        self,
        *,
        autoencoder: str = "",
        cell: int = 8,
        levels: str = "500,750,950",
        sampling_steps: int = 5,
        pull: float = 0.3,
        lighting: str = "matched",
        features: str = "dinov2-small",
        feature_size: int = 168,
        width: int = 32,
        fold: int = 2,
        steps: int = 400,
        batch: int = 16,
        folds: int = 2,
        pool: int = 32,
    ) -> None:
        self.autoencoder = autoencoder
        self.cell = cell
        self.levels = levels
        self.sampling_steps = sampling_steps
        self.pull = pull
        self.lighting = lighting
        self.features = features
        self.feature_size = feature_size
        self.width = width
        self.fold = fold
        self.steps = steps
        self.batch = batch
        self.folds = folds
        self.pool = pool
        self._levels = _parsed(levels)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._networks: list[ContextUnet] = []
        self._compared: FeatureDifference | None = None

    @torch_threads()
    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn from normal images `x` (n, h, h, 3) from 0 to 1.

        Raises:
            InputError: fewer than two groups; images that are not square pixels of a side that the network can take; an
                autoencoder that cannot be had.
            WeightsMissing: the weights of `features` or of the autoencoder are not on this machine.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        fold = group_folds(groups, self.folds, seed)
        if x.ndim != 4 or x.shape[3] != 3 or x.shape[1] != x.shape[2]:
            raise InputError(f"reconstruction: items of shape {x.shape[1:]}; it works on the encoder `pixels`")
        self._median = np.median(x, axis=(0, 1, 2)).astype(np.float32)
        x = self._lit(x)[0]
        self._canvas = Canvas(load_autoencoder(self.autoencoder) if self.autoencoder else None).fit(x)
        if self.features != "none":
            self._compared = FeatureDifference(_encoder(self.features, self.feature_size)).fit(x)
        z = self._canvas.enter(x)
        self._look_at(z.shape[1], z.shape[2])
        self._networks = [self._learn(z[fold != k], seed + k) for k in range(fold.max() + 1)]
        maps = self._calibrate(x, z, fold)
        self._weights = self._weighed(x, fold, seed)
        self.held_out = self._scores(maps)
        return self

    @torch_threads()
    def score(self, x: Floats) -> Scores:
        """Local scores: 0 is usual for a place of a normal image, 1 about the 99.5th percentile of held-out ones."""
        return self._scores(self._maps(self._lit(x)[0], self._networks))

    @torch_threads()
    def reconstruct(self, x: Floats) -> NDArray[np.float32]:
        """Images `x` (n, h, h, 3) from 0 to 1 made normal, in their own lighting: same shape, same range."""
        lit, shift = self._lit(x)
        z = self._canvas.enter(lit)
        restored = self._restored(z, self._first(z, self._networks), self._networks)
        image: NDArray[np.float32] = np.clip(restored - shift, 0, 1)
        return image

    def state(self) -> State:
        """Networks, units, and whatever pretrained models take part, weights included."""
        arrays: dict[str, NDArray[Any]] = {"shape": np.array([self._looks.channels, self._looks.side])}
        for k, network in enumerate(self._networks):
            arrays |= {f"{k}.{name}": tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
        for k, usual in enumerate(self._usual):
            arrays |= {f"usual.{k}.at": usual.at, f"usual.{k}.scale": np.array([usual.centre, usual.spread])}
        arrays |= {"canvas.mean": self._canvas.mean.numpy(), "canvas.std": self._canvas.std.numpy()}
        arrays |= {"suspect": np.array([self._suspect]), "weights": self._weights, "median": self._median}
        if self._canvas.autoencoder is not None:
            with tempfile.TemporaryDirectory() as folder:
                self._canvas.autoencoder.save_pretrained(folder)
                arrays |= pack(Path(folder), _AUTOENCODER)
        if self._compared is not None:
            arrays |= self._compared.arrays()
        return State(arrays, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("autoencoder", "cell", "levels", "sampling_steps", "pull", "lighting", "features", "feature_size")
        return {name: getattr(self, name) for name in (*names, "width", "fold", "steps", "batch", "folds", "pool")}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from; it needs no weights from anywhere else."""
        detector, arrays = cls(**state.settings), state.arrays
        with unpacked(arrays, _AUTOENCODER) as folder:
            packed = any(folder.iterdir())
            detector._canvas = Canvas(load_autoencoder(str(folder)) if packed else None)
        detector._canvas.mean = torch.from_numpy(arrays["canvas.mean"])
        detector._canvas.std = torch.from_numpy(arrays["canvas.std"])
        if detector.features != "none":
            detector._compared = FeatureDifference.restore(arrays)
        detector._look_at(*arrays["shape"].tolist())
        k = 0
        while any(name.startswith(f"{k}.") for name in arrays):
            network = detector._network()
            weights = {name: torch.from_numpy(a) for name, a in arrays.items() if name.startswith(f"{k}.")}
            network.load_state_dict({name.partition(".")[2]: tensor for name, tensor in weights.items()})
            detector._networks.append(network.eval().to(detector._device))
            k += 1
        count = sum(name.startswith("usual.") for name in arrays) // 2
        detector._usual = [Usual(arrays[f"usual.{k}.at"], *arrays[f"usual.{k}.scale"].tolist()) for k in range(count)]
        detector._suspect = float(arrays["suspect"][0])
        detector._weights, detector._median = arrays["weights"], arrays["median"]
        return detector

    def _look_at(self, channels: int, side: int) -> None:
        """Get ready for images of this shape."""
        if side % (4 * self.fold):
            raise InputError(
                f"reconstruction.fold = {self.fold}: {side} places a side have to be a multiple of 4 × fold; set the "
                "encoder's size so, or a smaller fold"
            )
        self._looks = Looks(
            channels,
            side,
            cell=self.cell,
            levels=self._levels,
            steps=self.sampling_steps,
            pull=self.pull,
            device=self._device,
        )

    def _network(self) -> ContextUnet:
        return ContextUnet(self._looks.channels, self._looks.side, fold=self.fold, width=self.width)

    def _learn(self, z: Tensor, seed: int) -> ContextUnet:
        with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
            torch.manual_seed(seed)
            network = self._network()
        training = Training(steps=self.steps, batch=self.batch)
        train(network, z, loss=self._looks.restoring.loss, training=training, seed=seed)
        return network.to(self._device)

    def _lit(self, x: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Images in the lighting of the training images, and what was added to them (n, 1, 1, 3)."""
        x = x.astype(np.float32)
        if self.lighting == "kept":
            return x, np.zeros((len(x), 1, 1, 3), np.float32)
        shift = np.asarray(self._median - np.median(x, axis=(1, 2), keepdims=True), np.float32)
        return np.clip(x + shift, 0, 1), shift

    def _calibrate(self, x: NDArray[np.float32], z: Tensor, fold: Ints) -> Maps:
        """Learn what is usual from items judged by the network that has not seen them; returns their maps."""
        first = [np.empty((len(x), z.shape[2], z.shape[3]), np.float32) for _ in self._levels]
        for k, network in enumerate(self._networks):
            for level, found in enumerate(self._looks.first(z[fold == k], [network])):
                first[level][fold == k] = found
        self._usual, units = _usual(first, fold)
        self._suspect = float(np.quantile(np.mean(units, axis=0), SUSPECT))
        restored = np.empty(x.shape, np.float32)
        for k, network in enumerate(self._networks):
            own = [unit[fold == k] for unit in units]
            restored[fold == k] = self._restored(z[fold == k], own, [network])
        usual, more = _usual(self._differences(x, restored), fold)
        self._usual += usual
        return _alike([*units, *more], x.shape[1])

    def _weighed(self, x: NDArray[np.float32], fold: Ints, seed: int) -> NDArray[np.float64]:
        """How much each map counts: by how far it raises patches pasted into held-out images above the rest."""
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.permutation(len(x))[:PASTED])
        pasted, where = paste(x[chosen], x, rng)
        raised = np.zeros(len(self._usual))
        for k, network in enumerate(self._networks):
            own = fold[chosen] == k
            if own.any():
                maps = self._maps(pasted[own], [network])
                raised += [float((m * where[own]).sum() - (m * ~where[own]).sum() * where.mean()) for m in maps]
        raised = np.maximum(raised, 0) + 1e-9
        weights: NDArray[np.float64] = raised / raised.sum()
        return weights

    def _maps(self, x: NDArray[np.float32], networks: list[ContextUnet]) -> Maps:
        """Every look at lit images, in units."""
        z = self._canvas.enter(x)
        first = self._first(z, networks)
        differences = self._differences(x, self._restored(z, first, networks))
        second = [u.apply(found) for u, found in zip(self._usual[len(first) :], differences, strict=True)]
        return _alike([*first, *second], x.shape[1])

    def _first(self, z: Tensor, networks: list[ContextUnet]) -> Maps:
        """The first look, in units."""
        return [u.apply(found) for u, found in zip(self._usual, self._looks.first(z, networks), strict=False)]

    def _restored(self, z: Tensor, first: Maps, networks: list[ContextUnet]) -> NDArray[np.float32]:
        """The second look as images (n, h, h, 3), from the first one in units."""
        suspect = np.mean(first, axis=0) > self._suspect
        return self._canvas.leave(self._looks.second(z, suspect, networks))

    def _differences(self, x: NDArray[np.float32], restored: NDArray[np.float32]) -> Maps:
        """Maps (n, h, h), (n, rows, columns): image and reconstruction in pixels and, if wanted, in features."""
        found = [np.abs(x - restored).mean(axis=-1)]
        if self._compared is not None:
            found.append(self._compared.between(x, restored))
        return found

    def _scores(self, maps: Maps) -> Scores:
        local = np.tensordot(self._weights, np.array(maps, np.float64), axes=1)
        return Scores(top_mean(local, self.pool), local)


def paste(
    x: NDArray[np.float32], sources: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Images `x` (n, h, h, 3) with a rectangle out of some source at another place, and where it is (n, h, h).

    As CutPaste (https://arxiv.org/abs/2104.04015), from other images too.
    """
    pasted, where = x.copy(), np.zeros(x.shape[:3], bool)
    side = x.shape[1]
    for image, own in zip(pasted, where, strict=True):
        size = rng.integers(max(1, side // 16), max(2, side // 4) + 1, 2)
        (top, left), (row, column) = rng.integers(side - size + 1, size=(2, 2))
        source = sources[rng.integers(len(sources))]
        at = (slice(top, top + size[0]), slice(left, left + size[1]))
        image[at] = source[row : row + size[0], column : column + size[1]]
        own[at] = True
    return pasted, where


def _alike(maps: Maps, side: int) -> Maps:
    """Maps of any size as smooth ones (n, side, side)."""
    return [smooth(upscaled(one, (side, side)), BLUR) for one in maps]


def _usual(maps: Maps, fold: Ints) -> tuple[list[Usual], Maps]:
    pairs = [Usual.of(one, fold) for one in maps]
    return [usual for usual, _ in pairs], [scaled for _, scaled in pairs]


def _parsed(levels: str) -> tuple[int, ...]:
    """Timesteps from "500,750,950"."""
    parts = [part.strip() for part in levels.split(",")]
    found = tuple(int(part) for part in parts if part.isdecimal())
    if len(found) != len(parts) or sorted(set(found)) != list(found) or not 0 < found[0] <= found[-1] <= HIGHEST:
        raise InputError(
            f'reconstruction.levels = "{levels}": give ascending timesteps from 1 to {HIGHEST}, such as "500,750,950"'
        )
    return found


def _encoder(name: str, size: int) -> PatchEncoder:
    if name == PatchFilters.name:
        return PatchFilters(size=size, patch=FILTER_PATCH)
    if name == "dinov2-small":
        from agentad.backbones.dino import DinoPatches  # needs its weights, others do not

        return cast(PatchEncoder, DinoPatches(size=size))
    raise InputError(f"reconstruction.features = {name!r}: give none, patch-filters or dinov2-small")
