import pytest
import torch
from diffusers import EDMEulerScheduler

from agentad.diffusion.sampling import ddim


def denoise(x, sigma):
    """D in closed form for data of deviation 0.5 around 1."""
    return 1 + (x - 1) * 0.25 / (0.25 + sigma**2)


def test_agrees_with_diffusers():
    scheduler = EDMEulerScheduler(sigma_min=0.1, sigma_max=2.0, sigma_data=1.0)
    scheduler.set_timesteps(6)
    start = torch.linspace(-4, 4, 12).reshape(4, 3)
    x = start
    for t, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
        scaled = scheduler.scale_model_input(x, t)
        clean = denoise(x, float(sigma))
        skip, out = 1 / (sigma**2 + 1), sigma / (sigma**2 + 1) ** 0.5  # the output of F for which the scheduler finds D
        assert scaled.shape == x.shape
        x = scheduler.step((clean - skip * x) / out, t, x).prev_sample
    torch.testing.assert_close(ddim(denoise, start, scheduler.sigmas[:-1].tolist()), x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("steps", "tolerance"), [(5, 0.2), (200, 0.01)])
def test_follows_the_flow_that_is_known_for_a_gaussian(steps, tolerance):
    x = torch.tensor([[4.0], [-1.0]])
    sigmas = torch.logspace(0.5, -2, steps).tolist()
    exact = 1 + (x - 1) * (0.25 / (0.25 + sigmas[0] ** 2)) ** 0.5
    assert float((ddim(denoise, x, sigmas) - exact).abs().max()) < tolerance
