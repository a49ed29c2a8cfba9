import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from render import texture

from agentad.modalities.image.duplicates import groups_of, signature

SIZE = (256, 192)


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


def noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(9).normal(0, 4, np.asarray(image).shape)
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def scratched(image: Image.Image) -> Image.Image:
    pixels = np.array(image)
    pixels[40:46, 100:120] = 255
    return Image.fromarray(pixels)


def groups(images: list[Image.Image], sources: list[str] | None = None) -> list[int]:
    digests = [str(i) for i in range(len(images))]
    return groups_of(digests, np.stack([signature(i) for i in images]), sources).tolist()


@pytest.mark.parametrize(
    "change",
    [
        jpeg,
        noisy,
        scratched,
        lambda i: i.resize((192, 144), Image.Resampling.LANCZOS),
        lambda i: ImageEnhance.Brightness(i).enhance(0.6),
        lambda i: i.convert("L"),
    ],
)
def test_a_changed_copy_shares_the_group(change: Callable[[Image.Image], Image.Image]) -> None:
    originals = [texture(seed, SIZE) for seed in range(3)]
    assert groups([*originals, *map(change, originals)]) == [0, 1, 2, 0, 1, 2]


def part_in_fixture(seed: int) -> Image.Image:
    """The same outline every time, another surface and a slightly other place."""
    rng = np.random.default_rng(seed)
    pixels = np.full((192, 256), 40.0)
    dx, dy = rng.integers(-3, 4, 2)
    pixels[50 + dy : 140 + dy, 70 + dx : 190 + dx] = 180 + rng.normal(0, 25, (90, 120))
    return Image.fromarray(np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8))


def test_different_parts_in_one_fixture_stay_apart() -> None:
    assert len(set(groups([part_in_fixture(seed) for seed in range(30)]))) == 30


def test_flat_images_are_alike_only_when_the_files_are() -> None:
    flat = [Image.new("L", (64, 64), value) for value in (100, 100, 101)]
    assert groups_of(["a", "a", "b"], np.stack([signature(i) for i in flat])).tolist() == [0, 0, 1]


def test_a_shared_source_joins_groups() -> None:
    originals = [texture(seed, SIZE) for seed in range(4)]
    assert groups(originals, ["", "board 7", "", "board 7"]) == [0, 1, 2, 1]


def test_sources_join_the_copies_too() -> None:
    a, b, c = (texture(seed, SIZE) for seed in range(3))
    assert groups([a, b, c, jpeg(a)], ["", "s", "", "s"]) == [0, 0, 1, 0]


def test_more_images_than_a_block() -> None:
    thumbnails = np.random.default_rng(0).integers(0, 256, (1200, 64, 64), dtype=np.uint8)
    thumbnails[1100] = thumbnails[3]
    thumbnails[700] = thumbnails[600]
    group = groups_of([str(i) for i in range(1200)], thumbnails)
    assert len(set(group.tolist())) == 1198
    assert (group[1100], group[700]) == (3, group[600])
