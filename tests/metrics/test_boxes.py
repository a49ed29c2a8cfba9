import numpy as np
import pytest

from agentad.metrics.boxes import box_f1, matched, overlaps


def test_overlap_is_intersection_over_union():
    np.testing.assert_allclose(overlaps([(0, 0, 2, 2)], [(0, 0, 2, 2), (1, 0, 3, 2), (5, 5, 6, 6)]), [[1, 1 / 3, 0]])
    assert overlaps([], [(0, 0, 1, 1)]).shape == (0, 1)


def test_each_box_is_matched_once():
    assert matched([(0, 0, 4, 4), (0, 0, 4, 3)], [(0, 0, 4, 4)]) == 1
    assert matched([(0, 0, 2, 2)], [(1, 0, 3, 2)], iou=0.34) == 0
    assert matched([(0, 0, 2, 2)], [(1, 0, 3, 2)], iou=0.33) == 1


def test_f_score_counts_boxes_of_all_images():
    box, other = (0, 0, 4, 4), (8, 8, 9, 9)
    assert box_f1([([box, other], [box]), ([], [box])]) == pytest.approx(2 * 1 / 4)
    assert box_f1([([], [])]) is None
