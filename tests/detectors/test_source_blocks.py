import numpy as np
import pytest

from agentad.detectors.source_blocks import blocks_apart


@pytest.mark.parametrize("seed", range(5))
def test_twins_are_hidden_apart(seed):
    generator = np.random.default_rng(seed)
    a = generator.standard_normal((200, 4))
    u = np.concatenate([a, -a], axis=1).astype(np.float32)  # column j and j + 4 are twins
    block = blocks_apart(u, np.arange(8), generator.permutation(8), 4)
    assert (block[:4] != block[4:]).all()
    assert np.bincount(block).tolist() == [2, 2, 2, 2]


def test_one_level_that_goes_with_another_column_ties_the_whole_category():
    generator = np.random.default_rng(0)
    a, free = generator.standard_normal((2, 300))
    level = np.digitize(a, [-1, 0, 1])
    u = np.column_stack([level == k for k in range(4)] + [a, free]).astype(np.float32)
    source = np.array([0, 0, 0, 0, 1, 2])
    for seed in range(5):
        block = blocks_apart(u, source, np.random.default_rng(seed).permutation(3), 2)
        assert block[0] != block[1]


def test_missing_and_constant_columns_are_dealt_out_too():
    u = np.array([[np.nan, 1, 2], [np.nan, 1, 0]], dtype=np.float32)
    assert sorted(blocks_apart(u, np.arange(3), np.arange(3), 3).tolist()) == [0, 1, 2]
