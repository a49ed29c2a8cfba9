import pytest
import torch

from agentad.diffusion.edm import Edm


def zero(x, c_noise):
    return torch.zeros_like(x)


def test_zero_network_denoises_as_the_wiener_filter():
    # With F = 0, D = c_skip x, which is the best denoiser of N(0, σ_data²).
    x = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    denoised = Edm(sigma_data=0.5).denoise(zero, x, torch.tensor([0.5, 2.0]))
    assert torch.allclose(denoised, x * torch.tensor([[0.5], [0.25 / 4.25]]))


@pytest.mark.parametrize("sigma", [0.01, 0.5, 1.0, 30.0])
def test_network_sees_unit_variance_and_a_quarter_of_log_sigma(sigma):
    seen = {}

    def spy(x, c_noise):
        seen.update(x=x, c_noise=c_noise)
        return x

    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(20_000, 1, generator=generator) for _ in range(2))
    Edm(sigma_data=2.0).denoise(spy, 2.0 * clean + sigma * noise, torch.full((20_000,), sigma))
    assert seen["x"].std().item() == pytest.approx(1, abs=0.02)
    assert torch.allclose(seen["c_noise"], torch.tensor(sigma).log() / 4)


def test_denoiser_keeps_the_input_where_there_is_no_noise():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(Edm().denoise(lambda x, c: 10 * x.sign(), x, torch.full((5,), 1e-6)), x, atol=1e-4)


def test_loss_weight_gives_the_network_a_unit_target_at_every_noise_level():
    # λ c_out² = 1: on data N(0, σ_data²) a zero network's loss is the variance of F's target, 1, whatever σ.
    x = 0.5 * torch.randn(50_000, 1, generator=torch.Generator().manual_seed(0))
    for mean in (-3.0, 0.0, 2.0):
        edm = Edm(sigma_data=0.5, log_sigma_mean=mean, log_sigma_std=0.1)
        assert edm.loss(zero, x, torch.Generator().manual_seed(1)).item() == pytest.approx(1, abs=0.03)


def test_noise_levels_are_log_normal():
    log_sigma = Edm().draw_sigma(50_000, torch.Generator().manual_seed(0)).log()
    assert log_sigma.mean().item() == pytest.approx(-0.4, abs=0.02)
    assert log_sigma.std().item() == pytest.approx(1, abs=0.02)


def test_works_on_images_too():
    x = torch.ones(2, 3, 4, 4)
    assert torch.allclose(Edm().denoise(zero, x, torch.tensor([1.0, 1.0])), x / 2)
