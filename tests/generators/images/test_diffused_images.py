import sys
from pathlib import Path

import numpy as np
import pytest

from agentad.errors import InputError
from agentad.flow import Brief
from agentad.generators.images.inpainting import InpaintingDiffusion
from agentad.generators.images.latent import LatentInpainting
from agentad.generators.images.local_score import LocalScoreDiffusion
from agentad.generators.images.paste import ResidualPaste

sys.path.append(str(Path(__file__).parents[2] / "diffusion"))
from tiny_pipeline import write_pipeline

TINY = {"width": 16, "steps": 2, "adapt_steps": 2, "rank": 2, "sampling_steps": 4}


@pytest.fixture(scope="module")
def inpainting(bars):
    return InpaintingDiffusion(**TINY).fit(*bars)


@pytest.fixture(scope="module", params=["inpainting", "local score"])
def fitted(request, bars, inpainting):
    return inpainting if request.param == "inpainting" else LocalScoreDiffusion().fit(*bars)


@pytest.mark.parametrize("start", ["paste", "noise"])
def test_images_change_in_their_masks_and_nowhere_else(bars, fitted, start, monkeypatch):
    monkeypatch.setattr(fitted, "start", start)
    made = fitted.sample([Brief()] * 5, range(5))
    found = [drawn for drawn in made if drawn is not None]
    assert len(found) >= 3
    for drawn in found:
        base = bars[0][drawn.normal]
        assert drawn.image.shape == base.shape and drawn.mask.any()
        assert np.array_equal(drawn.image[~drawn.mask], base[~drawn.mask])
        assert np.abs(drawn.image[drawn.mask].astype(int) - base[drawn.mask]).mean() > 4


def test_the_seed_decides(fitted):
    first, again, other = (fitted.sample([Brief()] * 2, [0, 1], seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].image, other[0].image)


def test_it_is_not_what_was_pasted(bars, fitted):
    pasted = ResidualPaste().fit(*bars).sample([Brief()], [1])[0]
    painted = fitted.sample([Brief()], [1])[0]
    both = pasted.mask & painted.mask
    assert both.any()
    assert np.abs(pasted.image.astype(int) - painted.image)[both].max() > 4


def test_a_drawn_shape_is_painted_too(fitted):
    made = fitted.sample([Brief(shape="hole", size=(0.005, 0.05))] * 3, [0, 1, 2])
    found = [drawn for drawn in made if drawn is not None]
    assert found and all(0.005 <= drawn.mask.mean() <= 0.05 for drawn in found)


def test_normals_are_learned_once(bars):
    normal, defects = bars
    seen = []
    generator = InpaintingDiffusion(**TINY).fit(normal, defects, progress=lambda k, n: seen.append((k, n)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    seen.clear()
    generator.fit(normal, defects, seed=1, progress=lambda k, n: seen.append((k, n)))
    assert seen == [(3, 4), (4, 4)]
    fresh = InpaintingDiffusion(**TINY).fit(normal, defects, seed=1)
    a, b = (g.sample([Brief()], [2])[0].image for g in (generator, fresh))
    assert np.array_equal(a, b)
    seen.clear()
    generator.fit(normal[:4], defects, seed=1, progress=lambda k, n: seen.append((k, n)))
    assert len(seen) == 4


def test_a_restored_generator_needs_no_training(bars, inpainting):
    state = inpainting.state()
    adapter = [array.size for name, array in state.arrays.items() if name.startswith("adapter/")]
    assert adapter and sum(adapter) < sum(array.size for array in state.arrays.values()) / 2
    seen = []
    restored = InpaintingDiffusion.restore(state).fit(*bars, progress=lambda k, n: seen.append(k))
    assert seen == []
    a, b = (g.sample([Brief()], [2])[0].image for g in (restored, inpainting))
    assert np.array_equal(a, b)


def test_large_images_are_learned_small(bars):
    normal, defects = bars
    generator = InpaintingDiffusion(**{**TINY, "resolution": 64}).fit(normal, defects)
    drawn = generator.sample([Brief()], [0])[0]
    assert drawn.image.shape == normal[0].shape


@pytest.mark.parametrize("generator", [InpaintingDiffusion, LocalScoreDiffusion])
def test_without_defects_it_is_refused(bars, generator):
    with pytest.raises(InputError, match="there is none; use manipulated-normals"):
        generator().fit(bars[0], [])


def test_bad_use_is_refused(bars):
    with pytest.raises(InputError, match=r"^local-score-diffusion\.patch = 4: .*odd"):
        LocalScoreDiffusion(patch=4).fit(*bars)
    with pytest.raises(InputError, match="call fit first"):
        InpaintingDiffusion().state()


def test_latent_inpainting_paints_by_prompt_and_keeps_its_adapter(bars, tmp_path):
    normal, defects = bars
    settings = {"model": str(write_pipeline(tmp_path / "tiny")), "size": 32, "adapt_steps": 2, "sampling_steps": 3}
    generator = LatentInpainting(**settings, start="noise").fit(normal[:3], defects)
    drawn, told = (generator.sample([brief], [1])[0] for brief in (Brief(), Brief(text="a long dark crack")))
    assert drawn.mask.any() and np.array_equal(drawn.image[~drawn.mask], normal[1][~drawn.mask])
    assert not np.array_equal(drawn.image, told.image)

    state, seen = generator.state(), []
    assert all("lora_" in name for name in state.arrays)
    restored = LatentInpainting.restore(state).fit(normal[:3], defects, progress=lambda k, n: seen.append(k))
    assert seen == []
    assert np.array_equal(restored.sample([Brief()], [1])[0].image, drawn.image)


def test_latent_inpainting_wants_a_model_and_defects(bars):
    with pytest.raises(InputError, match=r"^model '': give a folder"):
        LatentInpainting().fit(*bars)
    with pytest.raises(InputError, match="there is none; use manipulated-normals"):
        LatentInpainting().fit(bars[0], [])
    with pytest.raises(InputError, match="call fit first"):
        LatentInpainting().state()
