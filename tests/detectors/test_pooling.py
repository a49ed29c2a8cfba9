import numpy as np

from agentad.detectors.pooling import top_mean


def test_mean_of_the_highest():
    local = np.array([[[1.0, 5.0], [3.0, 2.0]], [[0.0, 0.0], [0.0, 8.0]]])
    assert top_mean(local, 2).tolist() == [4, 4]


def test_fewer_patches_than_asked_for():
    assert top_mean(np.array([[1.0, 3.0]]), 4).tolist() == [2]
