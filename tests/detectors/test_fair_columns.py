import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from agentad.detectors.closed_form_diffusion import ClosedFormDiffusion
from agentad.detectors.diffusion_time_np import DiffusionTimeNP
from agentad.detectors.empirical_denoiser import EmpiricalDenoiser
from agentad.detectors.fair_columns import fair_scalings, widening
from agentad.detectors.memory_bank import MemoryBank
from agentad.detectors.robust import scalings
from agentad.detectors.self_cleaning import SelfCleaning
from agentad.modalities.table.layout import Layout

LEVELS = 30
DETECTORS = (ClosedFormDiffusion, DiffusionTimeNP, EmpiricalDenoiser, MemoryBank, SelfCleaning)


def layout(source, category, flag=None):
    return Layout(np.array(source), np.array(category), np.array(flag or [-1] * len(source)))


def one_hot(n, seed):
    """(n, LEVELS) of a category whose levels are about equally common."""
    return np.eye(LEVELS, dtype=np.float32)[np.random.default_rng(seed).integers(LEVELS, size=n)]


def orders(n, seed, amount=None):
    """A number, by default Gaussian, beside three categories that have nothing to do with it."""
    value = np.random.default_rng(seed).standard_normal(n) if amount is None else np.full(n, amount)
    return np.column_stack([value, *(one_hot(n, [seed, k]) for k in range(3))]).astype(np.float32)


ORDERS = layout([0, *np.repeat([1, 2, 3], LEVELS)], [-1, *np.repeat([0, 1, 2], LEVELS)])


def test_by_hand():
    x = np.array([[0, 1, 0, 0, 5, 0, 3], [1, 0, 1, 0, 6, 0, 3], [2, 0, 1, 0, 7, 1, 3]], dtype=np.float32)
    #   a number; a category of two levels, a third of which never was; a number with its flag; one that never varied
    found = widening(x, layout([0, 1, 1, 1, 2, 2, 3], [-1, 0, 0, 0, -1, 1, -1], [-1, -1, -1, -1, 5, -1, -1]))
    np.testing.assert_allclose(found, [1, 2**0.5, 2**0.5, 1, 2**0.25, 2**0.25, 1])


def test_a_category_lies_as_far_apart_as_a_number():
    x = orders(3000, 0)
    u = fair_scalings(x, ORDERS)[0].apply(x)
    spread = np.bincount(ORDERS.source, ((u[:1500] - u[1500:]) ** 2).mean(axis=0))
    np.testing.assert_allclose(spread, 2, rtol=0.1)


def test_plain_numbers_and_rows_without_a_layout_are_scaled_as_ever():
    x = np.random.default_rng(0).lognormal(size=(50, 3))
    for told in (None, layout([0, 1, 2], [-1, -1, 0])):
        for fair, plain in zip(fair_scalings(x, told), scalings(x), strict=True):
            np.testing.assert_array_equal(fair.centre, plain.centre)
            np.testing.assert_array_equal(fair.scale, plain.scale)


@pytest.mark.parametrize("kind", DETECTORS)
def test_categories_of_many_levels_do_not_outweigh_a_number(kind):
    new = np.concatenate([orders(300, 1), orders(300, 2, amount=5.0)])
    plain, fair = (
        roc_auc_score(np.repeat([0, 1], 300), detector.score(new).item)
        for detector in (kind().fit(orders(1000, 0)), kind().fit(orders(1000, 0), layout=ORDERS))
    )
    assert fair > 0.97
    assert fair > plain + 0.05


@pytest.mark.parametrize("kind", DETECTORS)
def test_restores_without_the_layout(kind):
    assert kind.uses_layout
    detector, new = kind().fit(orders(200, 0), layout=ORDERS), orders(20, 1)
    np.testing.assert_array_equal(kind.restore(detector.state()).score(new).item, detector.score(new).item)
