import numpy as np
import pytest

from agentad.detectors.few_shot_bank import FewShotBank
from agentad.detectors.memory_bank import MemoryBank
from agentad.errors import InputError

GRID = (3, 4)


@pytest.fixture
def made():
    """Images (n, 3, 4, 5), two copies of each a little off, and images to judge."""

    def make(n):
        rng = np.random.default_rng(n)
        x = rng.normal(size=(n, *GRID, 5))
        copies = x[:, None] + rng.normal(0, 0.1, (n, 2, *GRID, 5))
        return x, copies, rng.normal(size=(6, *GRID, 5))

    return make


def nearest(queries, references):
    """Distance of each patch of `queries` (n, h, w, c) to the nearest of all patches of `references`."""
    rows = references.reshape(-1, 5)
    return np.linalg.norm(queries[..., None, :] - rows, axis=-1).min(axis=-1)


def test_copies_are_remembered_and_never_judge_their_own_image(made):
    x, copies, new = made(3)
    found = FewShotBank(pool=2).fit(x, copies=copies)
    every = np.concatenate([x[:, None], copies], axis=1)
    np.testing.assert_allclose(found.score(new).local, nearest(new, every), rtol=1e-5)
    expected = np.stack([nearest(x[i], np.delete(every, i, axis=0)) for i in range(3)])
    np.testing.assert_allclose(found.held_out.local, expected, rtol=1e-5)
    highest = np.sort(expected.reshape(3, -1), axis=1)[:, -2:].mean(axis=1)
    np.testing.assert_allclose(found.held_out.item, highest, rtol=1e-5)
    assert found.held_out_normal is found.held_out


def test_of_two_near_duplicates_neither_judges_the_other(made):
    x, copies, _ = made(3)
    found = FewShotBank().fit(x, groups=np.array([4, 4, 9]), copies=copies)
    third = np.concatenate([x[2:, None], copies[2:]], axis=1)
    np.testing.assert_allclose(found.held_out.local[:2], nearest(x[:2], third), rtol=1e-5)


def test_a_single_image_is_judged_by_its_copies_and_gives_one_score(made):
    x, copies, _ = made(1)
    found = FewShotBank(pool=1).fit(x, copies=copies)
    versions = np.concatenate([x, copies[0]])
    scores = [nearest(versions[i], np.delete(versions, i, axis=0)).max() for i in range(3)]
    np.testing.assert_allclose(found.held_out.item, scores[:1], rtol=1e-5)
    np.testing.assert_allclose(found.held_out_normal.item, [max(scores)], rtol=1e-5)
    assert found.notes[0].startswith("Learned from a single normal image: the threshold is a guess.")


def test_without_copies_it_is_the_memory_bank(made):
    x, _, new = made(4)
    found, bank = FewShotBank().fit(x), MemoryBank().fit(x)
    np.testing.assert_array_equal(found.score(new).item, bank.score(new).item)
    np.testing.assert_array_equal(found.held_out.item, bank.held_out.item)
    assert found.notes == (
        "Learned from 4 normal images and altered copies of them: weaker than with dozens of images, in what it finds "
        "and in how sure the threshold is.",
    )


def test_a_single_image_without_copies_is_refused(made):
    with pytest.raises(InputError) as caught:
        FewShotBank().fit(made(1)[0])
    assert str(caught.value) == ("a single image without altered copies cannot be judged; set augment, or add images")


@pytest.mark.parametrize("n", [1, 3])
def test_it_is_restored_and_the_seed_decides_what_a_small_bank_keeps(made, n):
    x, copies, new = made(n)
    found = FewShotBank(size=30, pool=2).fit(x, copies=copies, seed=1)
    again = FewShotBank.restore(found.state())
    for mine, other in ((found.score(new).local, again.score(new).local), (found.notes, again.notes)):
        np.testing.assert_array_equal(mine, other)
    same = FewShotBank(size=30, pool=2).fit(x, copies=copies, seed=1).score(new)
    other = FewShotBank(size=30, pool=2).fit(x, copies=copies, seed=2).score(new)
    np.testing.assert_array_equal(found.score(new).item, same.item)
    assert not np.array_equal(found.score(new).item, other.item)


def test_what_is_shown_is_a_patch_of_a_real_image(made):
    x, copies, _ = made(3)
    found = FewShotBank.restore(FewShotBank().fit(x, copies=copies).state()).nearest(copies[1, :1])
    assert (found.item == 1).all()
    np.testing.assert_array_equal(found.cell[0], np.arange(12).reshape(GRID))
    np.testing.assert_allclose(found.distance[0], np.linalg.norm(copies[1, 0] - x[1], axis=-1), rtol=1e-4)
