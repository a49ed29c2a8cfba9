"""Low likelihood under a diffusion model, by the probability-flow ODE.

    score = −ln p(x) / d        p: density of the standardised training rows plus noise of deviation 0.1

in nats a column, as `agentad.diffusion.likelihood` computes it: Heun's method, `ode_steps` steps equal in ln σ from 0.1
to 5, with the exact divergence for up to `EXACT` columns and Hutchinson's estimate with `PROBES` fixed probes beyond.
The numerical error is estimated when fitting, on held-out rows, and kept as `error`.

Of a model that is a mean over networks, the score is the mean of their log-likelihoods.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.learned_rows import LearnedRows
from agentad.detectors.row_networks import scale
from agentad.diffusion.likelihood import Denoise, Flow, Prior, exact, log_likelihood, log_likelihood_error, random_signs

EXACT = 32
"""Columns up to which the divergence is exact."""
PROBES = 16
_ERROR_ROWS = 100
_AT_ONCE = 256
"""Rows integrated together: each takes as many copies of the network's activations as there are probes."""


class FlowLikelihood(LearnedRows):
    """−ln p(x) / d by the probability-flow ODE. Encoded rows are (n, d), unscaled.

    Args:
        ode_steps: Heun steps, an even number.
        width: width of the denoisers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of denoisers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    error: float
    """Numerical error of the score, root mean square over held-out rows: steps and, if any, probes. Not how well the
    density was learned."""

    def __init__(
        self, *, ode_steps: int = 8, width: int = 64, steps: int = 600, folds: int = 2, seconds: float = 0.0
    ) -> None:
        super().__init__(width=width, steps=steps, folds=folds, seconds=seconds)
        self.ode_steps = ode_steps
        self._flow = Flow(sigma_low=0.1, sigma_high=5.0, steps=ode_steps)

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn the denoisers from the rows x (n, d), and score those each has not seen.

        Raises:
            InputError: fewer than two groups.
        """
        dim = x.shape[1]
        signs = random_signs(PROBES, dim, torch.Generator().manual_seed(seed))
        self._probes = exact(dim) if dim <= EXACT else signs
        fold = self._learn(x, groups, seed)
        u = scale(self._rows.scaling, x)
        self._prior = Prior(u.mean(dim=0), torch.cov(u.T, correction=0).reshape(dim, dim))
        self.held_out = Scores(self._rows.held_out(x, fold, self._surprise)[0])
        some = np.sort(np.random.default_rng(seed).permutation(len(x))[:_ERROR_ROWS])
        errors = self._rows.held_out(x[some], fold[some], self._error)[0]
        self.error = float(np.sqrt(np.mean(errors**2)))
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d)."""
        return Scores(self._rows.mean(x, self._surprise)[0])

    def _surprise(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
        return (-self._by_parts(log_likelihood, network, u),)

    def _error(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
        return (self._by_parts(log_likelihood_error, network, u),)

    @torch.no_grad()
    def _by_parts(self, measure: Any, network: nn.Module, u: Tensor) -> Tensor:
        denoise: Denoise = lambda x, sigma: self._edm.denoise(network, x, sigma)  # noqa: E731
        parts = []
        for rows in torch.split(u, _AT_ONCE):
            found = measure(denoise, rows, prior=self._prior, flow=self._flow, probes=self._probes)
            parts.append(found[0] if isinstance(found, tuple) else found)
        return torch.cat(parts) / u.shape[1]

    def _kept(self) -> dict[str, NDArray[Any]]:
        prior = {"mean": self._prior.mean.numpy(), "covariance": self._prior.covariance.numpy()}
        return {**prior, "probes": self._probes.numpy()}

    def _recall(self, arrays: dict[str, NDArray[Any]]) -> None:
        mean, covariance, self._probes = (
            torch.from_numpy(arrays[name].copy()) for name in ("mean", "covariance", "probes")
        )
        self._prior = Prior(mean, covariance)

    def state(self) -> State:
        """The denoisers, the prior, the probes, and the error in the settings."""
        state = super().state()
        return State(state.arrays, {**state.settings, "error": self.error})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        settings = {name: value for name, value in state.settings.items() if name != "error"}
        self = super().restore(State(state.arrays, settings))
        self.error = float(state.settings["error"])
        return self
