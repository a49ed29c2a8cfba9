import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from sklearn.metrics import average_precision_score, roc_auc_score

from agentad.errors import AgentadError
from agentad.metrics import PixelCounts, aupro, count_pixels, pixel_ap, pixel_auroc


def counts(maps: list[np.ndarray], masks: list[np.ndarray | None]) -> PixelCounts:
    return count_pixels(len(maps), maps.__getitem__, masks.__getitem__)


def example(seed: int, images: int = 4, shape: tuple[int, int] = (20, 24)) -> tuple[list, list]:
    rng = np.random.default_rng(seed)
    masks = [np.zeros(shape, bool) for _ in range(images)]
    for mask in masks[1:]:  # the first image is normal
        for _ in range(2):
            y, x = rng.integers(0, shape[0] - 6), rng.integers(0, shape[1] - 6)
            mask[y : y + rng.integers(1, 6), x : x + rng.integers(1, 6)] = True
    return [rng.normal(size=shape).astype(np.float32) + 1.5 * mask for mask in masks], masks


def slow_aupro(maps: list, masks: list, limit: float) -> float:
    """The definition, threshold by threshold."""
    regions = [(m, r) for m, mask in zip(maps, masks, strict=True) for r in parts(mask)]
    normal = np.concatenate([m[~mask] for m, mask in zip(maps, masks, strict=True)])
    thresholds = np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]
    fpr = [0.0] + [(normal >= t).mean() for t in thresholds]
    pro = [0.0] + [np.mean([(m[r] >= t).mean() for m, r in regions]) for t in thresholds]
    grid = np.unique([*fpr, limit])
    grid = grid[grid <= limit]
    upper = [
        max(p for f, p in zip(fpr, pro, strict=True) if f == x) if x in fpr else np.interp(x, fpr, pro) for x in grid
    ]
    lower = [
        min(p for f, p in zip(fpr, pro, strict=True) if f == x) if x in fpr else np.interp(x, fpr, pro) for x in grid
    ]
    return sum((grid[k + 1] - grid[k]) * (upper[k] + lower[k + 1]) / 2 for k in range(len(grid) - 1)) / limit


def parts(mask: np.ndarray) -> list[np.ndarray]:
    numbered, n = label(mask, structure=np.ones((3, 3), dtype=int))
    return [numbered == k for k in range(1, n + 1)]


@pytest.mark.parametrize("seed", range(4))
def test_same_as_scikit_learn_and_the_definition(seed: int) -> None:
    maps, masks = example(seed)
    c = counts(maps, masks)
    scores, truth = np.concatenate([m.ravel() for m in maps]), np.concatenate([m.ravel() for m in masks])
    assert pixel_auroc(c) == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
    assert pixel_ap(c) == pytest.approx(average_precision_score(truth, scores), abs=1e-9)
    assert aupro(c) == pytest.approx(slow_aupro(maps, masks, 0.3), abs=1e-9)
    assert aupro(c, limit=0.05) == pytest.approx(slow_aupro(maps, masks, 0.05), abs=1e-9)
    assert c.tie_error == 0


def test_by_hand() -> None:
    # Two regions of one and two pixels; five normal pixels with scores 3, 1, 1, 0, 0.
    mask = np.array([[1, 0, 1, 1, 0, 0, 0, 0]], bool)
    scores = np.array([[4.0, 3.0, 2.0, 0.5, 1.0, 1.0, 0.0, 0.0]])
    c = counts([scores], [mask])
    assert (c.regions, c.tie_error) == (2, 0)
    assert pixel_auroc(c) == pytest.approx((5 + 4 + 2) / 15)
    assert pixel_ap(c) == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    # Overlap is 1/2 up to fpr 1/5, 3/4 from there to 1/5, then rises no more before fpr 3/5.
    assert aupro(c, limit=0.2) == pytest.approx(0.5)
    assert aupro(c, limit=0.4) == pytest.approx((0.2 * 0.5 + 0.2 * 0.75) / 0.4)


def test_small_regions_weigh_as_much_as_large_ones() -> None:
    mask = np.zeros((20, 40), bool)
    mask[2:18, 2:18] = True
    mask[10, 30] = True
    found_large = counts([np.where(np.arange(40) < 20, mask, 0.0)], [mask])
    found_small = counts([np.where(np.arange(40) >= 20, mask, 0.0)], [mask])
    assert aupro(found_large) == pytest.approx(aupro(found_small), abs=1e-9)
    assert pixel_auroc(found_large) > pixel_auroc(found_small) + 0.4


def test_a_perfect_map_and_a_useless_one() -> None:
    _, masks = example(0)
    perfect, flat = counts([m.astype(float) for m in masks], masks), counts([np.ones(m.shape) for m in masks], masks)
    assert (pixel_auroc(perfect), pixel_ap(perfect), aupro(perfect)) == (1, pytest.approx(1), pytest.approx(1))
    assert pixel_auroc(flat) == 0.5
    assert flat.tie_error == 0.5
    assert aupro(flat) == pytest.approx(0.15)


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([lambda x: 3 * x - 200, np.exp, lambda x: 1e4 + x, lambda x: -np.exp(-x)])
)
def test_monotone_transforms_change_next_to_nothing(seed: int, transform) -> None:
    maps, masks = example(seed, images=2, shape=(10, 12))
    before, after = counts(maps, masks), counts([transform(m.astype(np.float64)) for m in maps], masks)
    for metric in (pixel_auroc, pixel_ap, aupro):
        assert metric(after) == pytest.approx(metric(before), abs=5e-3)


def test_outliers_do_not_coarsen_the_rest() -> None:
    maps, masks = example(1)
    maps[0] = maps[0] + 1000
    maps[0][0, 0] = 1e12
    maps[1][0, 0] = -1e12
    scores, truth = np.concatenate([m.ravel() for m in maps]), np.concatenate([m.ravel() for m in masks])
    assert pixel_auroc(counts(maps, masks)) == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)


def test_images_without_ground_truth_are_left_out() -> None:
    maps, masks = example(2)
    assert pixel_auroc(counts(maps[:3], [*masks[:2], None])) == pixel_auroc(counts(maps[:2], masks[:2]))


@pytest.mark.parametrize("mask", [np.zeros((3, 3), bool), np.ones((3, 3), bool), None])
def test_one_class_says_nothing(mask: np.ndarray | None) -> None:
    c = counts([np.eye(3)], [mask])
    assert (pixel_auroc(c), pixel_ap(c), aupro(c)) == (None, None, None)


def test_bad_maps_are_refused() -> None:
    with pytest.raises(AgentadError, match=r"score map 0 is \(2, 2\), its mask \(3, 3\)"):
        counts([np.eye(2)], [np.eye(3, dtype=bool)])
    with pytest.raises(AgentadError, match="score map 0 holds values that are not finite"):
        counts([np.full((3, 3), np.nan)], [np.eye(3, dtype=bool)])
