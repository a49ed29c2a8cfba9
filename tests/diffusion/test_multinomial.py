import pytest
import torch

from agentad.diffusion.multinomial import draw, gumbel_noise, keep, noised, reverse

BASE = torch.full((4,), 1 / 4, dtype=torch.float64)
LEVELS = torch.eye(4, dtype=torch.float64)


def kernel(kept):
    """The transition matrix: row i holds the probabilities of where level i goes."""
    return kept * LEVELS + (1 - kept) * BASE


def bayes(xt, x0, kept, kept_before):
    """q(x_s | x_t, x_0) by enumeration."""
    joint = [kernel(kept_before)[x0, xs] * kernel(kept / kept_before)[xs, xt] for xs in range(4)]
    return torch.stack(joint) / sum(joint)


def test_steps_compose_to_the_kernel_from_the_start():
    steps = (0.9, 0.5, 0.8)
    product = torch.linalg.multi_dot([kernel(step) for step in steps])
    torch.testing.assert_close(noised(LEVELS, torch.tensor(0.36), BASE), product)


@pytest.mark.parametrize(("kept", "before"), [(0.1, 0.7), (0.6, 0.61), (0.0, 0.3), (0.5, 1.0)])
def test_the_posterior_is_that_of_bayes(kept, before):
    for xt in range(4):
        for x0 in range(4):
            found = reverse(LEVELS[xt], LEVELS[x0], torch.tensor(kept), torch.tensor(before), BASE)
            torch.testing.assert_close(found, bayes(xt, x0, kept, before), rtol=1e-5, atol=1e-7)
            assert found.sum().item() == pytest.approx(1)


def test_what_a_network_tells_is_summed_over():
    told = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    expected = sum(p * bayes(2, x0, 0.2, 0.6) for x0, p in enumerate(told))
    found = reverse(LEVELS[2], told, torch.tensor(0.2), torch.tensor(0.6), BASE)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_the_last_step_back_ends_where_the_network_says():
    told = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    torch.testing.assert_close(reverse(LEVELS[1], told, torch.tensor(0.9), torch.tensor(1.0), BASE), told)


def test_going_back_by_what_is_true_gives_the_levels_that_going_on_would():
    # p(x_0) of the data, told exactly: Σ over x_t of q(x_t) p(x_s | x_t) has to be q(x_s).
    data = torch.tensor([0.7, 0.2, 0.1, 0.0], dtype=torch.float64)
    kept, before = torch.tensor(0.3), torch.tensor(0.8)
    at_t = noised(data, kept, BASE)
    told = [data * kernel(0.3)[:, xt] / at_t[xt] for xt in range(4)]
    back = sum(at_t[xt] * reverse(LEVELS[xt], told[xt], kept, before, BASE) for xt in range(4))
    torch.testing.assert_close(back, noised(data, before, BASE), rtol=1e-5, atol=1e-7)


def test_categories_of_two_sizes_share_a_tensor():
    base = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0.0, 0.0]])
    x0 = torch.tensor([[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]])
    found = reverse(x0, noised(x0, torch.tensor(0.5), base), torch.tensor(0.2), torch.tensor(0.6), base)
    alone = reverse(x0[1:, :2], torch.tensor([[0.25, 0.75]]), torch.tensor(0.2), torch.tensor(0.6), base[1:, :2])
    torch.testing.assert_close(found[1], torch.cat([alone[0], torch.zeros(2)]))
    states = draw(base.expand(5000, 2, 4), gumbel_noise((5000, 2, 4), torch.Generator().manual_seed(0)))
    assert states[:, 1, 2:].sum() == 0


def test_levels_are_drawn_as_often_as_told():
    told = torch.tensor([0.1, 0.2, 0.7])
    drawn = draw(told.expand(20_000, 3), gumbel_noise((20_000, 3), torch.Generator().manual_seed(0)))
    torch.testing.assert_close(drawn.mean(dim=0), told, rtol=0, atol=0.015)
    assert (drawn.sum(dim=1) == 1).all()


def test_nothing_known_is_drawn_uniformly():
    nothing = noised(torch.zeros(20_000, 4), torch.tensor(0.9), BASE.float())
    drawn = draw(nothing, gumbel_noise((20_000, 4), torch.Generator().manual_seed(0)))
    torch.testing.assert_close(drawn.mean(dim=0), BASE.float(), rtol=0, atol=0.015)


def test_a_category_keeps_the_share_of_its_level_that_a_number_keeps_of_its_variance():
    torch.testing.assert_close(keep(torch.tensor([0.0, 1.0, 3.0])), torch.tensor([1.0, 0.5, 0.1]))
