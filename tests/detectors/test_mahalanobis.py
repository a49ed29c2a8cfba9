import numpy as np
import pytest
from synthetic_patches import anomalous, normal

from agentad.detectors.mahalanobis import Mahalanobis
from agentad.errors import InputError


def correlated(n, seed=0):
    """(n, 1, 1, 2): two features that rise together."""
    common, own = np.random.default_rng(seed).normal(size=(2, n))
    return np.stack([common, common + 0.1 * own], axis=-1)[:, None, None].astype(np.float32)


def test_distance_is_the_one_of_the_known_covariance():
    x = correlated(40_000)
    found = Mahalanobis(sample=100_000).fit(x).score(np.array([[[[0.0, 1.0]]], [[[1.0, 1.0]]]]))
    inverse = np.linalg.inv([[1, 1], [1, 1.01]])
    exact = [np.sqrt(v @ inverse @ v) for v in (np.array([0.0, 1.0]), np.array([1.0, 1.0]))]
    assert found.item == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("per", ["image", "position"])
def test_finds_what_breaks_the_correlation(per):
    detector = Mahalanobis(per=per, dimensions=8).fit(correlated(200))
    usual = np.array([[[[2.0, 2.0]]]])  # far from the mean, as normals are at times
    odd = np.array([[[[1.0, -1.0]]]])  # nearer to it, as they never are
    assert detector.score(odd).item > detector.held_out.item.max()
    assert detector.score(usual).item < detector.held_out.item.max()


def test_one_gaussian_for_each_position_knows_what_belongs_where():
    x = normal(60)
    x[:, :, :3] += 5  # the left half looks different
    swapped = x[:, :, ::-1]
    here, anywhere = (Mahalanobis(per=per).fit(x) for per in ("position", "image"))
    assert (here.score(swapped).item > here.held_out.item.max()).all()
    assert (anywhere.score(swapped).item > anywhere.held_out.item.max()).mean() < 0.2


def test_patches_that_left_the_sheets_score_higher():
    x, mask = anomalous(10)
    found = Mahalanobis().fit(normal(60)).score(x)
    assert found.local.shape == mask.shape
    assert np.median(found.local[mask]) > np.quantile(found.local[~mask], 0.9)


@pytest.mark.parametrize("per", ["image", "position"])
def test_held_out_scores_are_those_of_new_normals(per):
    detector = Mahalanobis(per=per).fit(normal(90))
    new = detector.score(normal(60, seed=5)).item
    assert np.median(detector.held_out.item) == pytest.approx(np.median(new), rel=0.1)


def test_a_twin_in_the_same_group_does_not_help():
    x = normal(10)
    x[0, 0, 0] += 40
    twins, groups = np.concatenate([x, x]), np.tile(np.arange(10), 2)
    grouped = Mahalanobis().fit(twins, groups=groups).held_out.item
    assert grouped[0] == grouped[10]
    assert grouped[0] > 10 * np.median(grouped)


@pytest.mark.parametrize("per", ["image", "position"])
def test_restores_exactly_and_the_seed_decides(per):
    x, new = normal(12), normal(4, seed=3)
    first = Mahalanobis(per=per, dimensions=5, sample=100).fit(x, seed=1)
    again = Mahalanobis.restore(first.state())
    assert again.state().settings == first.state().settings
    assert np.array_equal(again.score(new).local, first.score(new).local)
    assert np.array_equal(
        Mahalanobis(per=per, dimensions=5, sample=100).fit(x, seed=1).score(new).item, first.score(new).item
    )
    assert not np.array_equal(
        Mahalanobis(per=per, dimensions=5, sample=100).fit(x, seed=2).score(new).item, first.score(new).item
    )


def test_an_item_has_the_same_score_alone_and_in_company():
    detector, x = Mahalanobis().fit(normal(20)), normal(5, seed=2)
    assert np.array_equal(np.concatenate([detector.score(one[None]).item for one in x]), detector.score(x).item)


@pytest.mark.parametrize("per", ["image", "position"])
def test_features_that_never_vary_and_two_images_do_no_harm(per):
    x = np.zeros((2, 3, 3, 4), np.float16)
    found = Mahalanobis(per=per).fit(x).score(x + 1)
    assert np.isfinite(found.item).all()
    assert (found.item > 0).all()


def test_bad_input_is_refused():
    with pytest.raises(InputError) as caught:
        Mahalanobis(per="pixel")
    assert str(caught.value) == "per 'pixel': give one of image, position"
    with pytest.raises(InputError, match="cross-fitting needs items of at least 2 groups"):
        Mahalanobis().fit(normal(3), groups=np.zeros(3, int))
