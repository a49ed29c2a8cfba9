import numpy as np

from agentad.detectors.base import Scores
from agentad.detectors.judged import Judged
from agentad.modalities.image.maps import shares
from agentad.verifiers.cells import claimed, touched


def test_shares_of_cells_are_exact_for_grids_that_do_not_divide_the_image():
    mask = np.zeros((3, 5), bool)
    mask[0, 0] = True
    share = shares([mask], (2, 2))
    assert share.shape == (1, 2, 2)
    np.testing.assert_allclose(share[0], [[1 / (1.5 * 2.5), 0], [0, 0]], rtol=1e-6)


def test_masks_of_any_size_keep_their_area():
    rng = np.random.default_rng(0)
    masks = [rng.random((40, 30)) < 0.3, rng.random((17, 61)) < 0.7]
    np.testing.assert_allclose(shares(masks, (6, 7)).mean(axis=(1, 2)), [m.mean() for m in masks], rtol=1e-5)


def judged(share):
    share = np.array([share])
    return Judged(np.zeros((1, 2, 2, 1)), Scores(np.zeros(1)), share)


def test_claimed_are_the_cells_covered_by_half_most_covered_first():
    items = judged([[0.6, 0.2], [0.9, 0.0]])
    assert claimed(items, 0).tolist() == [2, 0]
    assert claimed(items, 0, 1).tolist() == [2]
    assert touched(items, 0).tolist() == [0, 1, 2]


def test_a_small_mask_claims_the_cell_it_covers_most_and_an_empty_one_none():
    assert claimed(judged([[0.1, 0.3], [0.0, 0.0]]), 0).tolist() == [1]
    assert claimed(judged([[0.0, 0.0], [0.0, 0.0]]), 0).tolist() == []
