import pytest
import torch

from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm
from agentad.diffusion.train import Training, train, train_denoiser


def two_points(n=400):
    """Half at +1 and half at -1 in each of 3 dimensions, all signs alike: unit variance, no Gaussian."""
    sign = torch.randint(2, (n, 1), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    return sign.expand(-1, 3).contiguous()


def trained(seed, *, steps=250, progress=None):
    torch.manual_seed(seed)
    net = MlpDenoiser(3, width=16, depth=1)
    training = Training(steps=steps, batch=64, peak_rate=1e-2, ema=0.9)
    train_denoiser(net, two_points(), edm=Edm(), training=training, seed=seed, progress=progress)
    return net


def test_learns_the_denoiser_that_is_known_in_closed_form():
    # For x = ±1 in d dimensions, D(y; σ) = tanh(Σ y / σ²).
    y = torch.tensor([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9], [-0.5, -0.5, -0.5]])
    sigma = torch.full((3,), 0.8)
    truth = torch.tanh(y.sum(dim=1, keepdim=True) / 0.64).expand(-1, 3)
    untrained = (Edm().denoise(MlpDenoiser(3, width=16, depth=1), y, sigma) - truth).abs().mean().item()
    error = (Edm().denoise(trained(0), y, sigma) - truth).abs().mean().item()
    assert error < 0.2 * untrained


def test_same_seed_same_weights():
    first, second, other = trained(3, steps=5), trained(3, steps=5), trained(4, steps=5)
    pairs = list(zip(first.parameters(), second.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


def test_every_parameter_that_can_learn_does():
    torch.manual_seed(0)
    before = dict(MlpDenoiser(3, width=16, depth=1).named_parameters())
    after = dict(trained(0, steps=20).named_parameters())
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_reports_progress():
    told = []
    trained(0, steps=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("seed", [0, 1])
def test_is_in_eval_mode_afterwards(seed):
    assert not trained(seed, steps=2).training


def noisy_pair(n, seed):
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


def overfit(validation, **settings):
    torch.manual_seed(0)
    net = MlpDenoiser(3, width=32, depth=1)
    training = Training(steps=300, batch=64, peak_rate=1e-2, ema=0.9, check_every=20, **settings)
    done = train(net, noisy_pair(4, 0), loss=Edm().loss, training=training, seed=0, validation=validation)
    return done, float(Edm().loss(net, noisy_pair(2000, 2), torch.Generator().manual_seed(0)).detach())


def test_stops_where_the_validation_loss_no_longer_falls_and_keeps_the_best():
    done, loss = overfit(noisy_pair(200, 1), patience=3)
    everything, loss_of_all = overfit(None)
    assert (done < 300, everything) == (True, 300)
    assert loss < 0.8 * loss_of_all


def test_cpu_seconds_end_it():
    assert overfit(None, seconds=0.0)[0] == 1
