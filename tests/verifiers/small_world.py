"""Pictures of a grey block on black, anomalies of two types on it, an encoder of cell means and a real detector."""

import numpy as np

from agentad.detectors.base import Scores
from agentad.detectors.judged import Judged
from agentad.detectors.memory_bank import MemoryBank
from agentad.modalities.image.maps import shares
from agentad.verifiers.base import Candidates

SIDE, CELL = 64, 4
COLOURS = {"rust": (60, -40, -60), "paint": (-60, -40, 60)}


def encoded(images):
    """(n, 16, 16, 6) mean and standard deviation of each cell."""
    cells = np.stack(images).astype(np.float32).reshape(len(images), SIDE // CELL, CELL, SIDE // CELL, CELL, 3)
    return np.concatenate([cells.mean(axis=(2, 4)), cells.std(axis=(2, 4))], axis=-1) / 20


def normal_image(rng):
    image = np.zeros((SIDE, SIDE, 3))
    image[12:52, 12:52] = 130
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def anomalous_image(rng, kind):
    """The image, its mask and the base."""
    base = normal_image(rng)
    mask = np.zeros((SIDE, SIDE), bool)
    top, left = rng.integers(14, 40, 2)
    mask[top : top + 9, left : left + 9] = True
    image = base.astype(int)
    image[mask] += np.array(COLOURS[kind]) * rng.integers(8, 12) // 10
    return np.clip(image, 0, 255).astype(np.uint8), mask, base


class World:
    """Normals and `shots` anomalies of each type, as the detector judges them."""

    def __init__(self, shots=6, normals=24, seed=0):
        rng = np.random.default_rng(seed)
        images = [normal_image(rng) for _ in range(normals)]
        x = encoded(images)
        self.detector = MemoryBank(size=4000).fit(x, seed=0)
        masks = [np.zeros((SIDE, SIDE), bool)] * normals
        self.normal = Candidates(
            Judged(x, self.detector.held_out, shares(masks, x.shape[1:3])), np.full(normals, "", object), images, masks
        )
        kinds = [kind for kind in COLOURS for _ in range(shots)]
        self.drawn = [anomalous_image(rng, kind) for kind in kinds]
        self.real = self.candidates(kinds, [d[0] for d in self.drawn], [d[1] for d in self.drawn])

    def encode(self, images):
        x = encoded(images)
        return Judged(x, self.detector.score(x))

    def candidates(self, kinds, images, masks, bases=None):
        kinds = np.array(kinds, dtype=object)
        grid = (SIDE // CELL, SIDE // CELL)
        if not images:
            x, none = np.zeros((0, *grid, 6), np.float32), np.zeros((0, *grid))
            return Candidates(Judged(x, Scores(np.zeros(0), none), none), kinds, [], [])
        told = self.encode(images)
        return Candidates(Judged(told.x, told.scores, shares(masks, grid)), kinds, images, masks, bases)


def rows_world(shots=6, normals=80, seed=0):
    """Normal rows of five columns, anomalies of two types far off in one column each, and what encodes further rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(normals, 5))
    detector = MemoryBank().fit(x)
    kinds = np.array(["hot"] * shots + ["cold"] * shots, dtype=object)
    far = rng.normal(size=(2 * shots, 5))
    far[:, 0] += np.where(kinds == "hot", 8, 0)
    far[:, 1] -= np.where(kinds == "cold", 8, 0)

    def encode(rows):
        return Judged(rows, detector.score(rows))

    normal = Candidates(Judged(x, detector.held_out), np.full(normals, "", object))
    return normal, Candidates(encode(far), kinds), encode
