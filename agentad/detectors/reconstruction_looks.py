"""The two looks of `reconstruction` at an image: guesses from each noise level, then a restoration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agentad.diffusion.hidden import checkerboard
from agentad.diffusion.restore import Restoring, joined
from agentad.diffusion.unet import ContextUnet

Networks = Sequence[ContextUnet]
_NOISE_SEED = 0


class Looks:
    """How images of `channels` × `side` × `side` are looked at.

    Images go through one by one, all with the same noise, so that one's score does not depend on its neighbours. The
    two complementary masks are dealt to the networks in turn.

    Args:
        channels: of an image.
        side: of an image.
        cell: side of the hidden squares; 0: no masks.
        levels: timesteps, ascending.
        steps: DDIM steps of the whole way.
        pull: weight of the condition on the image.
    """

    def __init__(
        self,
        channels: int,
        side: int,
        *,
        cell: int,
        levels: Sequence[int],
        steps: int,
        pull: float,
        device: torch.device,
    ) -> None:
        self.channels, self.side, self._cell = channels, side, cell
        self._levels, self._steps, self._pull, self._device = levels, steps, pull, device
        self.restoring = Restoring(side, cell)
        hidden = checkerboard(side, cell) if cell else torch.ones(1, 1, side, side)
        self._hidden = hidden.to(device)
        generator = torch.Generator().manual_seed(_NOISE_SEED)
        self._noise = torch.randn(channels, side, side, generator=generator).to(device)

    @torch.inference_mode()
    def first(self, z: Tensor, networks: Networks) -> list[NDArray[np.float32]]:
        """For each level a map (n, s, s): how far images `z` (n, c, s, s) are from the guess, mean over channels."""
        found = np.empty((len(self._levels), len(z), self.side, self.side), np.float32)
        for which, image in enumerate(z):
            y = image.to(self._device)
            for level, t in enumerate(self._levels):

                def guess(network: ContextUnet, hidden: Tensor, y: Tensor = y, t: int = t) -> Tensor:
                    return self.restoring.guess(network, y, hidden, self._noise, t)

                found[level, which] = (_dealt(networks, self._hidden, guess) - y).abs().mean(dim=0).cpu().numpy()
        return list(found)

    @torch.inference_mode()
    def second(self, z: Tensor, suspect: NDArray[np.bool_], networks: Networks) -> Tensor:
        """Images `z` (n, c, s, s) made normal. Places that are `suspect` (n, s, s) start from the highest level."""
        return torch.stack(
            [self._second(image.to(self._device), s, networks) for image, s in zip(z, suspect, strict=True)]
        )

    def _second(self, y: Tensor, suspect: NDArray[np.bool_], networks: Networks) -> Tensor:
        doubted = self._widened(torch.from_numpy(suspect).to(self._device))
        middle, highest = self._levels[len(self._levels) // 2], self._levels[-1]
        start = torch.where(doubted, highest, middle)
        pull = torch.where(doubted, 0.0, self._pull)
        hidden = torch.maximum(self._hidden, doubted.float())

        def restore(network: ContextUnet, hidden: Tensor) -> Tensor:
            return self.restoring.restore(network, y, hidden, self._noise, start=start, pull=pull, steps=self._steps)

        return _dealt(networks, hidden, restore).cpu()

    def _widened(self, suspect: Tensor) -> Tensor:
        """(s, s) and a margin of half a hidden square: differences are smaller at the rim of what is wrong."""
        margin = max(1, self._cell // 2)
        wide = functional.max_pool2d(suspect[None, None].float(), 2 * margin + 1, stride=1, padding=margin)
        return wide[0, 0] > 0


def _dealt(networks: Networks, hidden: Tensor, made: Callable[[ContextUnet, Tensor], Tensor]) -> Tensor:
    """(c, s, s) joined from what the networks made under the masks (m, 1, s, s), each mask given to one of them."""
    parts = [made(networks[k % len(networks)], hidden[k : k + 1]) for k in range(len(hidden))]
    return joined(torch.cat(parts), hidden)
