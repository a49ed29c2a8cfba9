import torch

from agentad.diffusion.hidden import checkerboard, draw_hidden


def test_each_place_is_hidden_in_exactly_one_of_two_masks():
    masks = checkerboard(8, 2)
    assert masks.shape == (2, 1, 8, 8)
    assert torch.equal(masks.sum(0), torch.ones(1, 8, 8))
    assert masks[0, 0, 0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert masks[0, 0, 2].tolist() == [1, 1, 0, 0, 1, 1, 0, 0]


def test_drawn_masks_hide_about_half_or_more_and_sometimes_everything():
    masks = draw_hidden(400, 16, 4, torch.Generator().manual_seed(0))
    assert masks.shape == (400, 1, 16, 16)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    share = masks.mean(dim=(1, 2, 3))
    assert share.min() > 0.25
    assert 0.05 < (share == 1).float().mean() < 0.2
    assert (share > 0.55).float().mean() > 0.3  # rectangles beside the squares


def test_the_same_generator_draws_the_same_masks():
    one, other = (draw_hidden(5, 16, 4, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)
