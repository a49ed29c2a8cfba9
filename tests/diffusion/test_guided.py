import numpy as np
import pytest

from agentad.diffusion.guided import GuidedDenoiser, Schedule

SHORT = Schedule(normal_steps=150, mixed_steps=150)


@pytest.fixture(scope="module")
def told():
    """Normals around 0; anomalies around (3, 3) in the first two columns. The answer to where to go is known."""
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(500, 4)).astype(np.float32)
    anomalous = (0.1 * rng.normal(size=(6, 4)) + [3, 3, 0, 0]).astype(np.float32)
    denoiser = GuidedDenoiser(4, width=48, schedule=SHORT, seed=1)
    denoiser.learn(normal)
    denoiser.adapt(normal, anomalous)
    return denoiser


def along(rows):
    """How far rows lie on the way from the normals to the anomalies: 0 to 1."""
    return float((rows[:, :2].mean(axis=1) / 3).mean())


def test_guidance_moves_from_normal_towards_anomaly(told):
    start = np.zeros((400, 4), np.float32)
    start[:, :2] = 1.5  # half way
    reached = [along(told.sample(start, guidance=w, seed=2)) for w in (0.0, 1.0, 2.0)]
    assert reached[0] < 0.4 < reached[1] < reached[2]
    assert reached[1] > reached[0] + 0.2


def test_samples_from_an_anomaly_are_anomalies_and_differ(told):
    start = np.tile(np.array([3, 3, 0, 0], np.float32), (300, 1))
    rows = told.sample(start, guidance=1.5, seed=3)
    assert along(rows) > 0.8
    assert (rows.std(axis=0) > 0.01).all()


def test_training_is_what_does_it():
    untrained = GuidedDenoiser(4, width=48, schedule=SHORT, seed=1)
    start = np.full((100, 4), 1.5, np.float32)
    assert np.array_equal(untrained.sample(start, guidance=0, seed=2), untrained.sample(start, guidance=3, seed=2))


def test_held_columns_come_back_and_steer_the_others():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(600, 1))
    normal = np.concatenate([first, first + 0.05 * rng.normal(size=(600, 1))], axis=1).astype(np.float32)
    denoiser = GuidedDenoiser(2, width=48, schedule=Schedule(normal_steps=400, mixed_steps=50), seed=0)
    denoiser.learn(normal)
    denoiser.adapt(normal, normal[:50])
    given = np.zeros((200, 2), np.float32)
    given[:, 0] = np.repeat([-1.5, 1.5], 100)
    rows = denoiser.sample(np.zeros((200, 2), np.float32), guidance=1.0, seed=1, hold=(np.array([True, False]), given))
    assert np.array_equal(rows[:, 0], given[:, 0])
    assert rows[100:, 1].mean() - rows[:100, 1].mean() > 1.0  # 3 if it were exact, 0 if the column were ignored


def test_the_same_seed_makes_the_same_rows(told):
    start = np.zeros((5, 4), np.float32)
    first, again, other = (told.sample(start, guidance=1.5, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
