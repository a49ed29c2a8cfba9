"""Anomalous rows from a conditional diffusion model with classifier-free guidance."""

from __future__ import annotations

from typing import Self

import numpy as np

from agentad.diffusion.guided import GuidedDenoiser, Schedule
from agentad.errors import InputError
from agentad.generators.base import Drawn, Floats, Hold, Space
from agentad.generators.controls import dealt


class GuidedRows:
    """Starts at a real anomaly plus noise and denoises towards anomalies, away from normals.

    The denoiser is trained on the spot, on the normal rows and the few anomalous ones: `agentad.diffusion.guided`.

    Args:
        guidance: w of the guided denoiser; 1 follows the anomalies, more also leaves the normals.
        normal_steps: training steps on normals.
        mixed_steps: training steps on both.
        width: of the network.
    """

    fewest = 1

    def __init__(
        self, *, guidance: float = 1.5, normal_steps: int = 700, mixed_steps: int = 250, width: int = 128
    ) -> None:
        self.guidance = guidance
        self.normal_steps = normal_steps
        self.mixed_steps = mixed_steps
        self.width = width

    def fit(self, normal: Floats, anomalous: Floats, *, seed: int = 0) -> Self:
        """Train the denoiser.

        Raises:
            InputError: no anomaly to start from.
        """
        if not len(anomalous):
            raise InputError("guided diffusion starts from real anomalies and there is none; use neighbour-rows")
        self._space = Space.of(normal)
        self._anomalous = self._space.enter(anomalous)
        schedule = Schedule(normal_steps=self.normal_steps, mixed_steps=self.mixed_steps)
        self._denoiser = GuidedDenoiser(normal.shape[1], width=self.width, schedule=schedule, seed=seed)
        rows = self._space.enter(normal)
        self._denoiser.learn(rows)
        self._denoiser.adapt(rows, self._anomalous)
        return self

    def sample(self, n: int, *, seed: int = 0, hold: Hold | None = None) -> Drawn:
        """See `RowGenerator.sample`. Held columns are part of what the others are denoised with."""
        parent = dealt(n, len(self._anomalous), np.random.default_rng(seed))
        inside = None if hold is None else (hold[0], self._space.enter(hold[1]))
        found = self._denoiser.sample(self._anomalous[parent], guidance=self.guidance, seed=seed, hold=inside)
        return Drawn(self._space.leave(found), parent, np.full(n, -1))
