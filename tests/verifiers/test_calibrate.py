import numpy as np
import pytest
from small_world import SIDE, World, rows_world

from agentad.errors import InputError
from agentad.verifiers.agreement import Agreement
from agentad.verifiers.base import Candidates
from agentad.verifiers.calibrate import calibrated, chosen_cut
from agentad.verifiers.kind import Kind
from agentad.verifiers.known import known_samples
from agentad.verifiers.placement import Placement
from agentad.verifiers.realism import Realism
from agentad.verifiers.visibility import Visibility


@pytest.fixture(scope="module")
def world():
    return World()


def all_of_them():
    return [Visibility(), Placement(), Agreement(), Realism(), Kind()]


class Says:
    """A verifier that says what `rule` says of n items, whatever they are."""

    name = "says"
    checks = "nothing"
    catches = ("invisible", "misplaced", "garbage")
    good = ("real", "made")
    costly = False

    def __init__(self, rule):
        self.rule = rule

    def fit(self, normal, real, *, seed=0):
        return self

    def measure(self, items):
        return np.array([self.rule() for _ in range(len(items))], float)


def test_each_sort_is_what_it_says(world):
    known = known_samples(world.normal, world.real, world.encode, seed=1)
    assert set(known) == {
        "real", "made", "invisible", "misplaced", "mismatched", "loose", "outside", "garbage", "mistyped"
    }  # fmt: skip
    made, truth = known["made"], [(i != b).any(axis=2) for i, b in _pairs(known["made"])]
    assert all((t == m).mean() > 0.99 for t, m in zip(truth, made.items.masks, strict=True))
    assert all((i == b).all() for i, b in _pairs(known["invisible"]))
    for k, j in enumerate(known["misplaced"].real):
        assert not (known["misplaced"].items.masks[k] & world.real.masks[j]).any()
    for k, j in enumerate(known["mistyped"].real):
        assert known["mistyped"].items.kind[k] != world.real.kind[j]
    object_ = np.zeros((SIDE, SIDE), bool)
    object_[12:52, 12:52] = True
    assert all(m[object_].sum() < 0.2 * m.sum() for m in known["outside"].items.masks)
    grown = dict(zip(made.normal.tolist(), made.items.masks, strict=True))
    for n, mask in zip(known["loose"].normal.tolist(), known["loose"].items.masks, strict=True):
        assert 4 * grown[n].sum() <= mask.sum() <= 5 * grown[n].sum()
        assert mask[grown[n]].all()
    for samples in known.values():
        assert np.allclose(samples.items.judged.where.sum(axis=(1, 2)) * 16, [m.sum() for m in samples.items.masks])


def _pairs(known):
    return zip(known.items.images, known.items.bases, strict=True)


def test_the_same_seed_makes_the_same_samples(world):
    first, again, other = (known_samples(world.normal, world.real, world.encode, seed=s) for s in (1, 1, 2))
    for sort in first:
        assert (first[sort].items.judged.x == again[sort].items.judged.x).all()
        assert (first[sort].normal == again[sort].normal).all()
    assert (first["garbage"].items.judged.x != other["garbage"].items.judged.x).any()


def test_of_a_group_only_one_item_is_used(world):
    judged = world.real.judged
    groups = np.repeat(np.arange(4), 3)
    grouped = Candidates(
        type(judged)(judged.x, judged.scores, judged.where, groups),
        world.real.kind,
        world.real.images,
        world.real.masks,
    )
    known = known_samples(world.normal, grouped)
    assert sorted(groups[known["real"].real]) == [0, 1, 2, 3]


def test_without_an_encoder_nothing_is_altered(world):
    assert set(known_samples(world.normal, world.real)) == {"real", "invisible", "misplaced", "outside", "mistyped"}


def test_images_are_needed_where_patches_were_encoded(world):
    with pytest.raises(InputError, match="give `images`"):
        known_samples(Candidates(world.normal.judged, world.normal.kind), world.real)


def test_all_are_better_than_chance_where_anomalies_are_plain(world):
    for one in calibrated(all_of_them(), world.normal, world.real, world.encode):
        found = one.reliability
        assert found.used, found
        assert found.why == ""
        assert found.overkill <= 0.2
        assert found.miss <= 0.25
        assert set(one.rejected) <= {*one.verifier.catches, *one.verifier.good}


def test_without_real_anomalies_manipulated_normals_are_the_good_ones(world):
    none = world.candidates([], [], [])
    tried = {one.verifier.name: one.reliability for one in calibrated(all_of_them(), world.normal, none, world.encode)}
    assert {name for name, found in tried.items() if found.used} >= {"visibility", "placement", "agreement"}
    assert tried["type"].why == "there is no known good sample to try it on"
    assert tried["type"].cut is None


def test_one_real_anomaly_is_enough_to_go_on(world):
    tried = calibrated(all_of_them(), world.normal, world.real.take(np.array([0])), world.encode)
    assert {one.verifier.name for one in tried if one.reliability.used} >= {"visibility", "agreement"}


def test_rows_are_tried_on_what_rows_have():
    normal, real, encode = rows_world()
    tried = {one.verifier.name: one.reliability for one in calibrated(all_of_them(), normal, real, encode)}
    assert [name for name, found in tried.items() if found.used] == ["visibility", "realism", "type"]
    assert tried["placement"].why == "there is no known bad sample to try it on"
    assert tried["agreement"].why == "it says nothing on 100% of 80 known samples"


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_one_that_always_says_the_same_is_left_out(world, answer):
    found = calibrated([Says(lambda: answer)], world.normal, world.real, world.encode)[0].reliability
    assert not found.used
    assert (found.overkill, found.miss) == (0.0, 1.0)
    assert found.why.startswith("no better than chance: it lets 12 of 12 known good samples pass and 60 of 60")


def test_one_that_answers_at_random_is_left_out(world):
    used = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        used += calibrated([Says(rng.random)], world.normal, world.real, world.encode)[0].reliability.used
    assert used == 0


def test_one_that_mostly_abstains_is_left_out(world):
    rng = np.random.default_rng(0)
    says = Says(lambda: rng.random() if rng.random() < 0.3 else np.nan)
    found = calibrated([says], world.normal, world.real, world.encode)[0].reliability
    assert not found.used
    assert 0.5 < found.abstained < 1
    assert found.why.startswith("it says nothing on ")


def test_measured_samples_were_not_learned_from(world):
    class Remembers(Says):
        """Calls good whatever it has learned from, which is what a leak would reward."""

        def fit(self, normal, real, *, seed=0):
            self.seen = {x.tobytes() for x in (*normal.judged.x, *real.judged.x)}
            return self

        def measure(self, items):
            return np.array([float(x.tobytes() in self.seen) for x in items.judged.x])

    found = calibrated([Remembers(None)], world.normal, world.real, world.encode)[0]
    assert not found.reliability.used
    assert found.verifier.measure(world.real).all()  # in the end it has learned from all of them


@pytest.mark.parametrize(
    ("good", "bad", "low", "high"),
    [
        ([5, 6, 7], [[0, 1, 2]], 3.5, 3.5),
        ([5, 6, 7], [[0] * 5, [3] * 5], 4.0, 4.0),
        ([5, 6, 7], [[0] * 5, [6] * 4], 2.5, 2.5),
        ([5, 6, 7], [[0] * 4, [3] * 4], 4.0, 4.0),
        (range(10, 30), [[0] * 18 + [4, 8]], 2.0, 9.0),
        (range(10, 30), [[0] * 18 + [40, 50]], 5.0, 5.0),
        (range(10, 30), [[100] * 20], 11.5, 11.5),
        ([1, 1, 1], [[1, 1, 1]], 1.0, 1.0),
        ([], [[1]], None, None),
        ([1], [], None, None),
        ([1], [[]], None, None),
    ],
)
def test_the_cut_is_the_lowest_that_catches_enough_and_never_costs_much(good, bad, low, high):
    values = np.array(list(good), float), [np.array(own, float) for own in bad]
    assert chosen_cut(*values, raised=False) == low
    assert chosen_cut(*values, raised=True) == high
