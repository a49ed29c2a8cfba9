import numpy as np
import pytest
import torch
from row_data import curve

from agentad.detectors.masked_diffusion import MaskedDiffusion, VisibleDenoiser


def pairs(n, seed):
    """Three columns, the second the negative of the first up to a little noise, the third on its own."""
    generator = np.random.default_rng(seed)
    a = generator.standard_normal(n)
    return np.stack([a, -a + 0.1 * generator.standard_normal(n), generator.standard_normal(n)], axis=1).astype(
        np.float32
    )


def tiny(**settings):
    return MaskedDiffusion(**{"width": 48, "steps": 300, "blocks": 3} | settings)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(pairs(800, 0))


def test_fills_in_what_the_other_columns_tell(fitted):
    x = pairs(100, 1)
    filled = fitted.score(x).expected
    assert np.corrcoef(filled[:, 0], x[:, 0])[0, 1] > 0.95
    assert np.abs(np.corrcoef(filled[:, 2], x[:, 2])[0, 1]) < 0.4


def test_what_is_filled_in_does_not_know_the_hidden_value(fitted):
    x = pairs(20, 2)
    other = x.copy()
    other[:, 2] += 3
    np.testing.assert_array_equal(fitted.score(x).expected[:, 2], fitted.score(other).expected[:, 2])


def test_contributions_sum_to_the_score_and_name_the_broken_pair(fitted):
    x = pairs(50, 3)
    x[:, 1] += 2
    scores = fitted.score(x)
    np.testing.assert_allclose(scores.local.sum(axis=1), scores.item, rtol=1e-5)
    assert (scores.local[:, 2] < scores.local[:, :2].max(axis=1)).mean() > 0.95


def test_missing_values_count_neither_in_the_loss_nor_as_input():
    x = torch.from_numpy(pairs(64, 4))
    x[:, 0] = torch.nan
    network = VisibleDenoiser(3, width=16)
    torch.nn.init.ones_(network.inner.leave.weight)
    tiny()._loss(network, x, torch.Generator().manual_seed(0)).backward()
    learned = network.inner.leave.weight.grad.abs().sum(dim=1)
    assert learned[0] == 0
    assert (learned[1:3] > 0).all()
    visible = torch.tensor([False, True, True]).expand(64, 3)
    first, second = (network(x.nan_to_num(0), torch.zeros(1), x.nan_to_num(fill), visible) for fill in (0.0, 7.0))
    torch.testing.assert_close(first, second)


def test_learns_and_scores_with_holes(fitted):
    x = pairs(800, 5)
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    detector = tiny().fit(x)
    assert np.isfinite(detector.held_out.item).all()
    assert (detector.held_out.local[np.isnan(x)] == 0).all()
    filled = detector.score(np.array([[1.5, np.nan, 0], [-1.5, np.nan, 0]], dtype=np.float32)).expected[:, 1]
    assert filled[0] < -0.9
    assert filled[1] > 0.9


def test_a_column_without_any_value_is_harmless():
    x = curve(50, 6)
    x[:, 1] = np.nan
    assert np.isfinite(tiny(steps=3).fit(x).held_out.item).all()
