"""The sampler beside a network whose answer is known, and the formulas it claims to follow."""

import pytest
import torch
from torch import nn

from agentad.diffusion.restore import Restoring, joined
from agentad.diffusion.unet import ContextUnet

SIDE = 8


class Always(nn.Module):
    """A network that answers with one image, and remembers what it saw."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.seen = answer, []

    def forward(self, noisy, clean, hidden, t):
        self.seen.append((noisy, hidden, t))
        return self.answer.expand_as(noisy)


@pytest.fixture
def scene():
    generator = torch.Generator().manual_seed(0)
    y, answer, noise = (torch.randn(3, SIDE, SIDE, generator=generator) for _ in range(3))
    return y, answer, noise, torch.ones(1, 1, SIDE, SIDE)


def everywhere(value):
    return torch.full((SIDE, SIDE), float(value))


def test_a_guess_is_the_networks_answer_to_the_noised_image(scene):
    y, answer, noise, hidden = scene
    network = Always(answer)
    assert torch.equal(Restoring(SIDE, 2).guess(network, y, hidden, noise, 600), answer[None])
    noisy, _, t = network.seen[0]
    kept = torch.cos(torch.tensor((600 / 1000 + 0.008) / 1.008 * torch.pi / 2)) ** 2  # squared cosine schedule
    torch.testing.assert_close(noisy[0], kept.sqrt() * y + (1 - kept).sqrt() * noise, atol=1e-2, rtol=0)
    assert t.tolist() == [600]


def test_without_pull_the_answer_is_reached_and_with_it_the_image_is_approached(scene):
    y, answer, noise, hidden = scene

    def restored(pull):
        return Restoring(SIDE, 2).restore(
            Always(answer), y, hidden, noise, start=everywhere(600), pull=everywhere(pull), steps=5
        )[0]

    torch.testing.assert_close(restored(0), answer, atol=1e-5, rtol=0)
    assert (restored(0.5) - y).norm() < 0.99 * (answer - y).norm()


def test_one_pulled_step_is_the_correction_of_ddad(scene):
    y, answer, noise, hidden = scene
    restoring, w = Restoring(SIDE, 2), 0.4
    found = restoring.restore(Always(answer), y, hidden, noise, start=everywhere(999), pull=everywhere(w), steps=1)
    kept = restoring._scheduler.alphas_cumprod[999]
    alpha, sigma = kept.sqrt().double(), (1 - kept).sqrt().double()
    x = alpha * y + sigma * noise
    eps = (x - alpha * answer) / sigma
    eps = eps - w * sigma * (alpha * y + sigma * eps - x)
    expected = (x - sigma * eps) / alpha  # all the way to no noise
    torch.testing.assert_close(found[0], expected.float(), atol=1e-2, rtol=0)


def test_places_stay_the_noised_image_until_their_own_start(scene):
    y, answer, noise, hidden = scene
    network = Always(answer)
    start = everywhere(300)
    start[:4] = 900
    restoring = Restoring(SIDE, 2)
    restoring.restore(network, y, hidden, noise, start=start, pull=everywhere(0), steps=5)
    assert [int(t) for _, _, t in network.seen] == [799, 599, 399, 199]
    for noisy, _, t in network.seen[1:]:
        plain = restoring._scheduler.add_noise(y[None], noise[None], t)
        if int(t) > 300:
            torch.testing.assert_close(noisy[0, :, 4:], plain[0, :, 4:])
        assert not torch.allclose(noisy[0, :, :4], plain[0, :, :4], atol=1e-2)


def test_a_place_is_taken_from_the_masks_that_hid_it():
    hidden = torch.tensor([[[[1.0, 0.0, 1.0]]], [[[0.0, 1.0, 1.0]]]])
    parts = torch.tensor([[[[1.0, 2.0, 3.0]]], [[[5.0, 6.0, 7.0]]]])
    assert joined(parts, hidden).tolist() == [[[1.0, 6.0, 5.0]]]


def test_learning_looks_at_hidden_places():
    y = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    network = Always(torch.zeros(3, SIDE, SIDE))
    value = Restoring(SIDE, 0).loss(network, y, torch.Generator().manual_seed(0))
    torch.testing.assert_close(value, (y**2).mean())  # without masks every place counts
    assert network.seen[0][1].min() == 1


@torch.inference_mode()
def test_a_hidden_place_is_not_shown_to_the_network():
    torch.manual_seed(0)
    network = ContextUnet(3, SIDE, fold=1, width=16).eval()
    nn.init.normal_(network.unet.conv_out.weight)
    noisy, y, t = torch.randn(1, 3, SIDE, SIDE), torch.randn(1, 3, SIDE, SIDE), torch.tensor([500])
    hidden = torch.zeros(1, 1, SIDE, SIDE)
    hidden[..., :4] = 1
    other = y.clone()
    other[..., :4] += 1
    assert torch.equal(network(noisy, y, hidden, t), network(noisy, other, hidden, t))
    other[..., 4:] += 1
    assert not torch.equal(network(noisy, y, hidden, t), network(noisy, other, hidden, t))
