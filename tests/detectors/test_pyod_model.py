import random
import subprocess
import sys

import numpy as np
import pytest

from agentad.detectors import pyod_model
from agentad.detectors.pyod_model import PyodModel, models
from agentad.errors import InputError, MissingExtra

needed = pytest.mark.skipif(not pyod_model.find_spec("pyod"), reason="PyOD is not installed")


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)


@needed
def test_detectors_of_rows_are_found_and_none_is_imported():
    names = models()
    assert {"KNN", "ECOD", "COPOD", "IForest", "AutoEncoder", "OCSVM"} <= names.keys()
    assert not {"BaseDetector", "DOMINANT", "TimeSeriesOD", "EmbeddingOD", "AudioAE"} & names.keys()
    assert list(names) == sorted(names)
    code = (
        "import sys; from agentad.detectors.pyod_model import models; models(); print('pyod.models.knn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@needed
@pytest.mark.parametrize("name", ["KNN", "ECOD", "IForest", "INNE", "PCA"])
def test_scores_are_pyods_own_and_are_restored(name, x):
    from importlib import import_module
    from inspect import signature

    from agentad.detectors.robust import scalings

    z = scalings(x)[0].apply(x).astype(np.float64)
    kind = getattr(import_module(models()[name]), name)
    theirs = kind(**({"random_state": 7} if "random_state" in signature(kind).parameters else {})).fit(z)
    new = x[:20] * 3
    detector = PyodModel(model=name).fit(x, seed=7)
    expected = theirs.decision_function(scalings(x)[0].apply(new).astype(np.float64))
    np.testing.assert_allclose(detector.score(new).item, expected, rtol=1e-6)
    again = PyodModel.restore(detector.state())
    np.testing.assert_array_equal(again.score(new).item, detector.score(new).item)
    assert again.state().settings == {"model": name, "references": 5000, "seed": 7}
    assert detector.score(new[:0]).item.shape == (0,)
    assert detector.score(np.array([[9.0, -9, 9]])).item > detector.held_out.item.max()


@needed
def test_what_draws_from_global_generators_repeats_and_leaves_no_trace(x, capsys):
    np.random.seed(5)
    random.seed(5)
    first = PyodModel(model="MO_GAAL").fit(x[:40])
    drawn = np.random.uniform(), random.gauss()
    np.random.seed(5)
    random.seed(5)
    assert drawn == (np.random.uniform(), random.gauss())
    assert capsys.readouterr().out == ""  # it prints each epoch
    np.testing.assert_array_equal(first.score(x).item, PyodModel.restore(first.state()).score(x).item)


@needed
def test_references_are_bounded_and_every_row_is_judged_by_rows_of_other_groups(x):
    x[:60] = 9 + x[:60] / 1000
    groups = np.concatenate([np.zeros(60, int), np.arange(1, 61)])
    detector = PyodModel(references=80).fit(x, groups=groups)
    assert detector.state().arrays["rows"].shape == (80, 3)
    assert detector.held_out.item.shape == (120,)
    assert detector.held_out.item[:60].min() > detector.held_out.item[60:].max()
    assert detector.score(x[:60]).item.max() < detector.score(x[60:]).item.max()


@needed
@pytest.mark.parametrize("name", ["Nope", "os.system", "BaseDetector", "TimeSeriesOD", "knn", ""])
def test_an_unknown_name_is_refused_with_those_that_are_there(name, x):
    with pytest.raises(InputError) as caught:
        PyodModel(model=name).fit(x)
    assert str(caught.value) == (
        f"pyod.model = {name!r}: PyOD has no such detector of rows; there are {', '.join(models())}"
    )


@needed
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LSCP", "TypeError: LSCP.__init__() missing 1 required positional argument: 'detector_list'"),
        ("MAD", "ValueError: MAD algorithm is just for univariate data. Got Data with 3 Dimensions."),
    ],
)
def test_what_pyod_refuses_is_refused_with_its_reason(name, reason, x):
    with pytest.raises(InputError) as caught:
        PyodModel(model=name).fit(x)
    assert str(caught.value) == (f"PyOD's {name} cannot be used on these rows: {reason}; choose another of its models")


@needed
def test_scores_that_are_not_finite_are_refused(x, monkeypatch):
    detector = PyodModel().fit(x)
    monkeypatch.setattr(detector._model._model, "decision_function", lambda z: np.full(len(z), np.nan))
    with pytest.raises(InputError) as caught:
        detector.score(x)
    assert str(caught.value) == (
        "PyOD's KNN cannot be used on these rows: ValueError: scores that are not finite; choose another of its models"
    )


@needed
def test_another_model_than_was_saved_is_refused(x):
    state = PyodModel().fit(x).state()
    state.arrays["probes"] = state.arrays["probes"] * 1.01
    with pytest.raises(InputError) as caught:
        PyodModel.restore(state)
    assert str(caught.value) == (
        "PyOD's KNN, fitted again on the rows it was saved with, scores otherwise than it did; "
        "install the version of PyOD that it was saved with"
    )


def test_without_pyod_the_way_out_is_named(x, monkeypatch):
    def gone(name):
        raise ModuleNotFoundError("No module named 'pyod'")

    monkeypatch.setattr(pyod_model, "find_spec", gone)
    models.cache_clear()
    with pytest.raises(MissingExtra) as caught:
        PyodModel().fit(x)
    assert str(caught.value) == "pyod: PyOD is not installed; install it with `pip install 'agentad[pyod]'`"
