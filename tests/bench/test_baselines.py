import warnings

import numpy as np
import pytest

from agentad.bench import baselines, pyod_engine


@pytest.mark.parametrize("name", baselines.installed())
def test_a_baseline_scores_a_lone_row_highest_fresh_or_learned_from(name):
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(size=(60, 2)), [[9.0, 9.0]]]).astype(np.float32)
    with warnings.catch_warnings(action="ignore"):
        fitted = baselines.BASELINES[name](z, np.arange(61), 0)
        clean = baselines.BASELINES[name](z[:60], np.arange(60), 0)
    if name != "gmm":  # a mixture gives a lone row a component of its own
        assert fitted.held_out.item.argmax() == 60
    assert clean.score(z).item.argmax() == 60
    assert clean.held_out.item.shape == (60,)


def test_knn_by_hand():
    z = np.array([[0.0], [1.0], [3.0]], np.float32)
    fitted = baselines.BASELINES["knn1"](z, np.arange(3), 0)
    unit = z.std()
    np.testing.assert_allclose(fitted.held_out.item * unit, [1, 1, 2], rtol=1e-5)
    np.testing.assert_allclose(fitted.score(np.array([[5.0], [1.0]], np.float32)).item * unit, [2, 0], rtol=1e-5)


def test_without_pyod_its_baselines_are_not_offered(monkeypatch):
    monkeypatch.setattr(baselines, "PYOD", "pyod_is_not_here")
    monkeypatch.setattr(pyod_engine, "MODULE", "pyod_is_not_here_either")
    assert "pyod-knn" not in baselines.installed()
    assert "knn1" in baselines.installed()
    assert baselines.on_request() == ()
