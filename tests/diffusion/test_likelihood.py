import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm
from agentad.diffusion.likelihood import Flow, Prior, exact, log_likelihood, log_likelihood_error, random_signs
from agentad.diffusion.train import Training, train_denoiser

MEAN = torch.tensor([0.5, -1.0, 0.0])
COVARIANCE = torch.tensor([[1.0, 0.8, 0.0], [0.8, 1.5, 0.3], [0.0, 0.3, 0.2]])
PRIOR = Prior(MEAN, COVARIANCE)


def denoise(x, sigma):
    """D in closed form for N(MEAN, COVARIANCE)."""
    gain = COVARIANCE @ torch.linalg.inv(COVARIANCE + sigma**2 * torch.eye(3))
    return MEAN + (x - MEAN) @ gain.T


def rows(n=20):
    return (
        MEAN + 1.5 * torch.randn(n, 3, generator=torch.Generator().manual_seed(0)) @ torch.linalg.cholesky(COVARIANCE).T
    )


def found(flow):
    return log_likelihood(denoise, rows(), prior=PRIOR, flow=flow, probes=exact(3))[0]


def truth(x, sigma):
    return multivariate_normal(MEAN.numpy(), (COVARIANCE + sigma**2 * torch.eye(3)).numpy()).logpdf(x.numpy())


def test_is_the_gaussians_density_with_an_error_as_stated():
    settings = {"prior": PRIOR, "flow": Flow(steps=16), "probes": exact(3)}
    density, spread = log_likelihood(denoise, rows(), **settings)
    stated = log_likelihood_error(denoise, rows(), **settings)
    error = np.abs(density.numpy() - truth(rows(), 0.1))
    assert error.max() < 0.1 * np.abs(truth(rows(), 0.1)).std()
    assert (spread == 0).all()
    assert (error <= 2 * stated.numpy() + 1e-3).all()
    assert stated.mean() < 5 * error.mean() + 1e-3  # nor is it a bound that says nothing


def test_halving_the_step_quarters_the_error():
    errors = [np.abs(found(Flow(steps=n)).numpy() - truth(rows(), 0.1)) for n in (16, 32)]
    assert float(errors[1].mean() / errors[0].mean()) == pytest.approx(0.25, abs=0.1)


def test_random_probes_agree_within_their_standard_error():
    signs = random_signs(400, 3, torch.Generator().manual_seed(1))
    estimate, spread = log_likelihood(denoise, rows(), prior=PRIOR, flow=Flow(), probes=signs)
    assert (spread > 0).all()
    assert ((estimate - found(Flow())).abs() < 4 * spread).all()


def test_a_learned_denoiser_comes_near_the_density():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)) @ torch.tensor(
        [[1.0, 0.7], [0.0, 0.7]]
    )
    covariance = torch.cov(x.T)
    torch.manual_seed(0)
    untrained, network = (MlpDenoiser(2, width=32) for _ in range(2))
    train_denoiser(network, x, edm=Edm(), training=Training(steps=300, batch=256), seed=0)
    expected = multivariate_normal(np.zeros(2), (covariance + 0.01 * torch.eye(2)).numpy()).logpdf(x[:100].numpy())

    def off(net):
        with torch.no_grad():
            prior = Prior(torch.zeros(2), covariance)
            density, _ = log_likelihood(
                lambda r, s: Edm().denoise(net, r, s), x[:100], prior=prior, flow=Flow(), probes=exact(2)
            )
        return np.abs(density.numpy() - expected).mean()

    assert off(network) < 0.25
    assert off(network) < 0.5 * off(untrained)
