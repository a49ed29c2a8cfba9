import torch

from agentad.diffusion.denoisers import MlpDenoiser


def test_one_noise_level_serves_the_whole_batch():
    net = MlpDenoiser(4, width=8)
    torch.nn.init.ones_(net.leave.weight)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(net(x, torch.tensor([0.2])), net(x, torch.full((3,), 0.2)), atol=1e-6)


def test_starts_as_the_linear_shrinkage():
    assert not MlpDenoiser(4, width=8)(torch.ones(2, 4), torch.zeros(2)).any()


def test_output_depends_on_the_noise_level():
    net = MlpDenoiser(4, width=8)
    torch.nn.init.normal_(net.leave.weight, generator=torch.Generator().manual_seed(0))
    x = torch.ones(2, 4)
    assert not torch.allclose(net(x, torch.tensor([-1.0])), net(x, torch.tensor([1.0])))
