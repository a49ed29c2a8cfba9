import numpy as np
import pytest
import tiny_images
import torch
from diffusers import AutoencoderKL
from sklearn.metrics import roc_auc_score

from agentad.detectors.reconstruction import Reconstruction, paste
from agentad.diffusion.canvas import Canvas, load_autoencoder
from agentad.errors import InputError, WeightsMissing

SMALL = {"features": "none", "width": 16, "fold": 1, "cell": 4, "batch": 16, "pool": 8, "steps": 50}
SMALL |= {"levels": "600,950", "sampling_steps": 3}
SHORT = SMALL | {"levels": "950", "sampling_steps": 2, "steps": 3}
"""For what needs no good network."""


@pytest.fixture(scope="module")
def fitted():
    return Reconstruction(**SMALL).fit(tiny_images.normal(16))


@pytest.fixture(scope="module")
def planted():
    return tiny_images.planted(3)


def test_a_planted_square_is_found_and_outlined(fitted, planted):
    x, mask = planted
    scores = fitted.score(x)
    assert scores.item.min() > fitted.score(tiny_images.normal(6, 7)).item.max()
    assert scores.item.min() > fitted.held_out.item.max()
    assert roc_auc_score(mask.ravel(), scores.local.ravel()) > 0.99


def test_the_reconstruction_removes_it_and_keeps_the_rest(fitted, planted):
    x, mask = planted
    restored, truth = fitted.reconstruct(x), tiny_images.normal(len(x), 100)
    assert (restored.shape, restored.dtype) == (x.shape, np.float32)
    assert restored.min() >= 0
    assert restored.max() <= 1
    assert np.abs(restored - truth)[mask].mean() < 0.25 * np.abs(x - truth)[mask].mean()
    assert np.abs(restored - x)[~mask].mean() < 0.25 * np.abs(restored - x)[mask].mean()


def test_a_foreign_patch_that_is_shown_is_copied_more_closely_than_one_that_is_hidden(fitted):
    x, at = tiny_images.normal(4, 50), slice(4, 10)
    x[:, at, at] = tiny_images.normal(4, 60)[:, at, at]
    looks, network = fitted._looks, fitted._networks[0]
    shown = torch.zeros(1, 1, 16, 16)
    for y in fitted._canvas.enter(x):
        with torch.inference_mode():
            copied = looks.restoring.guess(network, y, shown, looks._noise, 950)[0]
            parts = looks.restoring.guess(network, y, looks._hidden, looks._noise, 950)
        repainted = (parts * looks._hidden).sum(0)
        assert (copied - y)[:, at, at].pow(2).mean() < (repainted - y)[:, at, at].pow(2).mean()


def test_items_are_judged_by_the_network_that_has_not_seen_them(fitted):
    x, groups = tiny_images.normal(12), np.repeat(np.arange(6), 2)
    odd = x.copy()
    odd[:2] = tiny_images.planted(2)[0]
    detector = Reconstruction(**SHORT | {"steps": 15}).fit(odd, groups=groups)
    assert detector.held_out.item.shape == (12,)
    assert detector.held_out.local.shape == (12, 16, 16)
    assert detector.held_out.item[:2].min() > np.median(detector.held_out.item[2:])


def test_learning_beats_not_learning(planted):
    x, mask = planted
    unlearned = Reconstruction(**SHORT | {"steps": 1}).fit(tiny_images.normal(4))
    restored, truth = unlearned.reconstruct(x), tiny_images.normal(len(x), 100)
    assert np.abs(restored - truth)[~mask].mean() > 0.1


def test_saved_and_restored_it_scores_the_same_alone_or_in_company(fitted, planted):
    x, _ = planted
    restored = Reconstruction.restore(fitted.state())
    assert restored.settings() == fitted.settings()
    scores = fitted.score(x)
    np.testing.assert_array_equal(restored.score(x).local, scores.local)
    np.testing.assert_array_equal(restored.score(x[2:3]).local[0], scores.local[2])
    np.testing.assert_array_equal(restored.reconstruct(x[:1]), fitted.reconstruct(x[:1]))


def test_the_same_seed_gives_the_same_detector(planted):
    x = planted[0][:2]
    fits = [Reconstruction(**SHORT).fit(tiny_images.normal(2), seed=seed) for seed in (1, 1, 2)]
    one, same, other = (fit.score(x).item for fit in fits)
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_darker_images_are_no_more_anomalous_where_lighting_is_matched(fitted):
    x = tiny_images.normal(3, 7)
    dark = np.clip(x.astype(np.float32) - 0.1, 0, 1)
    np.testing.assert_allclose(fitted.score(dark).item, fitted.score(x).item, atol=0.5)
    assert abs(fitted.reconstruct(dark).mean() - dark.mean()) < 0.03  # shown in its own lighting


def test_features_of_the_reconstruction_are_compared_and_travel_with_the_detector(planted):
    x, _ = planted
    detector = Reconstruction(**SHORT | {"features": "patch-filters", "feature_size": 56})
    detector.fit(tiny_images.normal(4))
    assert len(detector._usual) == len(detector._levels) + 2
    restored = Reconstruction.restore(detector.state())
    np.testing.assert_array_equal(restored.score(x).local, detector.score(x).local)


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    """A tiny autoencoder, 16 x 16 x 3 to 8 x 8 x 4, that learned stripes here."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            latent_channels=4,
            sample_size=16,
        )
        x = torch.from_numpy(tiny_images.normal(64).astype(np.float32)).permute(0, 3, 1, 2) * 2 - 1
        optimizer = torch.optim.Adam(model.parameters(), 5e-3)
        for _ in range(60):
            batch = x[torch.randint(64, (16,))]
            found = model.decode(model.encode(batch).latent_dist.mean).sample
            loss = (found - batch).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    folder = tmp_path_factory.mktemp("autoencoder")
    model.save_pretrained(folder)
    return folder


def test_it_works_in_the_latent_space_of_an_autoencoder(autoencoder, planted):
    x, mask = planted
    canvas = Canvas(load_autoencoder(str(autoencoder))).fit(tiny_images.normal(24))
    back = canvas.leave(canvas.enter(tiny_images.normal(4, 5)))
    assert np.abs(back - tiny_images.normal(4, 5)).mean() < 0.1
    detector = Reconstruction(**SHORT | {"autoencoder": str(autoencoder), "cell": 2, "steps": 15}).fit(
        tiny_images.normal(8)
    )
    scores = detector.score(x)
    assert scores.local.shape == (3, 16, 16)
    assert roc_auc_score(mask.ravel(), scores.local.ravel()) > 0.8
    restored = Reconstruction.restore(detector.state())
    np.testing.assert_array_equal(restored.score(x).local, scores.local)


@pytest.mark.parametrize(
    ("settings", "shape", "complaint"),
    [
        (
            {"levels": "900,300"},
            (4, 16, 16, 3),
            'reconstruction.levels = "900,300": give ascending timesteps from 1 to 950, such as "500,750,950"',
        ),
        (
            {"fold": 8},
            (4, 16, 16, 3),
            "reconstruction.fold = 8: 16 places a side have to be a multiple of 4 × fold; set the encoder's size so, "
            "or a smaller fold",
        ),
        ({}, (4, 6, 6, 12), "reconstruction: items of shape (6, 6, 12); it works on the encoder `pixels`"),
        (
            {"autoencoder": "some/name"},
            (4, 16, 16, 3),
            "autoencoder 'some/name': give a folder that holds config.json and diffusion_pytorch_model.safetensors, or "
            "a hub id with the 40 digits of its commit, such as owner/name@0123…",
        ),
    ],
)
def test_what_cannot_work_is_named(settings, shape, complaint):
    with pytest.raises(InputError) as caught:
        Reconstruction(**SMALL | settings).fit(np.zeros(shape, np.float16))
    assert str(caught.value) == complaint


def test_an_empty_folder_is_no_autoencoder(tmp_path):
    with pytest.raises(WeightsMissing, match="download it on a connected machine and give its folder"):
        load_autoencoder(str(tmp_path))


def test_pasted_patches_come_from_elsewhere():
    x = tiny_images.normal(6).astype(np.float32)
    pasted, where = paste(x, x, np.random.default_rng(0))
    assert np.array_equal(pasted[~where], x[~where])
    assert where.any(axis=(1, 2)).all()
    assert not np.array_equal(pasted, x)
