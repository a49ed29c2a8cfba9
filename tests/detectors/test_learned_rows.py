"""What every learned table detector has to do."""

import numpy as np
import pytest
from row_data import AWKWARD, curve, everything, off_the_curve
from sklearn.metrics import roc_auc_score

from agentad.detectors.denoising_reconstruction import DenoisingReconstruction
from agentad.detectors.diffusion_time import DiffusionTime
from agentad.detectors.flow_likelihood import FlowLikelihood
from agentad.detectors.masked_diffusion import MaskedDiffusion
from agentad.detectors.score_norm import ScoreNorm
from agentad.errors import InputError

LEARNED = {
    "denoising-reconstruction": DenoisingReconstruction,
    "diffusion-time": DiffusionTime,
    "flow-likelihood": FlowLikelihood,
    "masked-diffusion": MaskedDiffusion,
    "score-norm": ScoreNorm,
}
pytestmark = pytest.mark.parametrize("kind", LEARNED.values(), ids=list(LEARNED))


def tiny(kind, *, steps=150, **settings):
    cheap = {"ode_steps": 4} if kind is FlowLikelihood else {}
    return kind(**{"width": 32, "steps": steps} | cheap | settings)


@pytest.fixture(scope="module")
def fitted():
    long = {DiffusionTime: {"steps": 600, "width": 64}, ScoreNorm: {"steps": 600}, MaskedDiffusion: {"steps": 400}}
    return {kind: tiny(kind, **long.get(kind, {})).fit(curve(400, 0)) for kind in LEARNED.values()}


@pytest.fixture(scope="module")
def untrained():
    wide = {DiffusionTime: {"width": 64}}
    return {kind: tiny(kind, steps=1, **wide.get(kind, {})).fit(curve(400, 0)) for kind in LEARNED.values()}


def auroc(detector):
    scores = detector.score(np.concatenate([curve(200, 1), off_the_curve(200, 2)])).item
    return roc_auc_score(np.repeat([0, 1], 200), scores)


def test_beats_its_untrained_self(kind, fitted, untrained):
    assert auroc(fitted[kind]) > max(0.8, auroc(untrained[kind]) + 0.15)


def test_fitting_changes_every_network(kind, fitted, untrained):
    before, after = (detectors[kind].state().arrays for detectors in (untrained, fitted))
    weights = [name for name in after if name[0].isdigit() and name.endswith("weight")]
    assert {name.partition(".")[0] for name in weights} == {"0", "1"}
    assert [name for name in weights if np.allclose(before[name], after[name], atol=1e-3)] == []


def test_scores_differ_between_rows(kind, fitted):
    assert len(set(fitted[kind].held_out.item)) > 390


def test_held_out_scores_are_like_those_of_new_rows(kind, fitted):
    new = fitted[kind].score(curve(400, 5)).item
    assert np.mean(new > np.median(fitted[kind].held_out.item)) == pytest.approx(0.5, abs=0.12)


def test_a_row_is_judged_by_a_network_that_saw_no_other_of_its_group(kind):
    x = curve(60, 6)
    x[:20] = [3, -3, 3]  # copies of one strange row: a network that saw some accepts the others
    together = np.arange(60)
    together[:20] = 0
    apart = tiny(kind).fit(x).held_out.item
    grouped = tiny(kind).fit(x, groups=together).held_out.item
    assert np.mean(grouped[:20].min() > grouped[20:]) > np.mean(apart[:20].max() > apart[20:]) + 0.2


def test_restores_exactly(kind, fitted):
    x = curve(40, 9)
    again = kind.restore(fitted[kind].state())
    np.testing.assert_array_equal(everything(again.score(x)), everything(fitted[kind].score(x)))
    assert again.settings() == fitted[kind].settings()


def test_the_seed_decides_everything(kind):
    x = curve(60, 10)
    first, second, other = (everything(tiny(kind, steps=5).fit(x, seed=seed).score(x)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_a_row_scores_the_same_in_any_company(kind, fitted):
    x = curve(30, 11)
    np.testing.assert_allclose(fitted[kind].score(x[7:8]).item, fitted[kind].score(x).item[7:8], rtol=1e-4, atol=1e-4)


def test_scores_do_not_depend_on_units(kind):
    x, new = curve(80, 12), curve(20, 13)
    units = np.array([1, 1024, 1 / 1024], dtype=np.float32)
    plain = tiny(kind, steps=20).fit(x).score(new).item
    np.testing.assert_allclose(tiny(kind, steps=20).fit(x * units).score(new * units).item, plain, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_data_give_finite_scores(kind, name):
    x = AWKWARD[name].astype(np.float32)
    detector = tiny(kind, steps=3, width=8).fit(x)
    for scores in (detector.held_out, detector.score(x), detector.score(np.full_like(x[:1], 3e38))):
        assert np.isfinite(everything(scores)).all()
    assert detector.score(x[:0]).item.shape == (0,)


def test_one_source_cannot_be_judged(kind):
    with pytest.raises(InputError, match=r"^cross-fitting needs items of at least 2 groups"):
        tiny(kind).fit(curve(5, 0), groups=np.zeros(5, dtype=int))


def test_seconds_end_the_training(kind):
    spent = tiny(kind, steps=100_000, seconds=1e-9).fit(curve(60, 14)).state().arrays
    once = tiny(kind, steps=1).fit(curve(60, 14)).state().arrays
    assert all(np.abs(spent[name] - once[name]).max() < 0.01 for name in once if name[0].isdigit())
