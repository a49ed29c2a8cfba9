import numpy as np
import pytest
import torch

from agentad.diffusion.crops import Pyramid, View, draw_masks, scaled
from agentad.diffusion.inpaint import Example, Inpainter, Order, Shape

TINY = Shape(size=16, width=16, fold=2, batch=4, rank=2)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [(0.6 + 0.2 * rng.standard_normal((32, 28, 3))).astype(np.float32) for _ in range(3)]


@pytest.fixture(scope="module")
def base(images):
    return Inpainter(TINY).learn(images, steps=6, seconds=None)


@pytest.fixture(scope="module")
def example(images):
    mask = np.zeros(images[0].shape[:2], bool)
    mask[10:18, 9:15] = True
    return Example(np.where(mask[..., None], 0, images[0]).astype(np.float32), mask, 1)


@pytest.fixture(scope="module")
def adapted(base, images, example):
    return base.adapt(images, [example], steps=60, seconds=None)


@pytest.fixture
def order(images):
    mask = np.zeros((16, 16), bool)
    mask[4:11, 5:12] = True
    return Order(images[1][:16, :16], mask, 1)


def paint(model, order, **settings):
    return model.paint(order, **{"steps": 4, "strength": 0.5, "guidance": 1.0, "seed": (1, 2), **settings})


def test_only_adapters_and_labels_are_trained(base, adapted):
    before = dict(base.network.unet.named_parameters())
    after = {n.removeprefix("base_model.model."): p for n, p in adapted.network.unet.named_parameters()}
    trained = {n for n, p in after.items() if p.requires_grad}
    assert trained and all("lora_" in n or "class_embedding" in n for n in trained)
    kept = {n: p for n, p in after.items() if not p.requires_grad and "class_embedding" not in n}
    assert len(kept) == len(before) - 1
    assert all(torch.equal(p, before[n.replace(".base_layer", "")]) for n, p in kept.items())
    assert max(float(p.detach().abs().max()) for n, p in after.items() if "lora_B" in n) > 0


def test_adapting_changes_what_is_painted_towards_the_defect(base, adapted, order):
    dark, light = (paint(model, order)[order.mask].mean() for model in (adapted, base))
    assert dark < light - 0.05


def test_nothing_changes_outside_the_mask_and_the_seed_decides(adapted, order):
    first, again, other = (paint(adapted, order, seed=(0, k)) for k in (1, 1, 2))
    assert np.array_equal(first[~order.mask], order.crop[~order.mask])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_weak_start_stays_near_its_image(adapted, order, images):
    start = np.where(order.mask[..., None], 0.9, order.crop).astype(np.float32)
    begun = Order(order.crop, order.mask, 1, start)
    weak, strong = (paint(adapted, begun, steps=10, strength=s)[order.mask].mean() for s in (0.11, 1.0))
    assert abs(weak - 0.9) < abs(strong - 0.9)
    assert np.allclose(paint(adapted, begun, strength=0.0), start, atol=1e-6)


def test_learning_again_gives_the_same(base, images, order):
    again = Inpainter(TINY).learn(images, steps=6, seconds=None)
    assert np.array_equal(paint(base, order), paint(again, order))


def test_arrays_bring_both_models_back(base, adapted, order):
    other = Inpainter(TINY, seed=9).load(base.arrays())
    assert np.array_equal(paint(other, order), paint(base, order))
    arrays = adapted.adapter()
    assert sum(a.size for a in arrays.values()) < sum(a.size for a in base.arrays().values()) / 2
    assert np.array_equal(paint(other.with_adapter(arrays), order), paint(adapted, order))


def test_a_crop_is_turned_as_outlines_are():
    image = torch.zeros(1, 33, 33)
    image[0, 16, 16:30] = 1  # a line to the right
    down = Pyramid(image).cut(View(16, 16, 33, turn=-np.pi / 2), 33)
    assert down[0, 20:28, 16].min() > 0.9 and down[0, 4:12, 16].max() < 0.1
    left = Pyramid(image).cut(View(16, 16, 33, mirrored=True), 33)
    assert left[0, 16, 6:14].min() > 0.9 and left[0, 16, 20:28].max() < 0.1


def test_masks_hide_something_and_not_everything():
    masks = draw_masks(60, 32, torch.Generator().manual_seed(0))
    share = masks.mean(dim=(1, 2, 3))
    assert masks.unique().tolist() == [0, 1]
    assert share.min() > 0 and share.max() < 1 and share.std() > 0.05


def test_scaling_keeps_the_mean():
    image = np.random.default_rng(0).random((20, 12, 3))
    assert scaled(image, 10, 6).mean() == pytest.approx(image.mean(), abs=0.01)
    assert np.array_equal(scaled(image, 20, 12), image.astype(np.float32))
