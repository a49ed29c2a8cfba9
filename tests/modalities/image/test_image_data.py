from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from render import folder, half_mask, save, texture

from agentad.errors import UnreadableData
from agentad.flow import DataProfile
from agentad.modalities.image import open_images, recognise


def mvtec(root: Path) -> Path:
    return folder(
        root,
        "train/good/000.png",
        "train/good/001.PNG",
        "test/good/000.png",
        "test/crack/000.png",
        "test/crack/001.png",
        "ground_truth/crack/000_mask.png",
    )


def test_mvtec_profile(tmp_path: Path) -> None:
    data = open_images(mvtec(tmp_path))
    p = data.profile
    assert (p.modality, p.layout, p.items, p.normal, p.anomalous, p.unlabelled) == ("image", "mvtec", 5, 3, 2, 0)
    assert (p.types, p.groups, p.skipped, p.notes) == ({"crack": 2}, 5, (), ())
    assert p.image is not None
    assert p.image.model_dump() == {
        "smallest": (64, 48),
        "largest": (64, 48),
        "modes": {"RGB": 5},
        "formats": {"PNG": 5},
        "masks": 1,
        "pairs": 0,
    }
    assert DataProfile.model_validate_json(p.model_dump_json()) == p
    assert data.items.id.tolist() == [
        "test/crack/000.png",
        "test/crack/001.png",
        "test/good/000.png",
        "train/good/000.png",
        "train/good/001.PNG",
    ]
    assert data.items.given.tolist() == ["test"] * 3 + ["train"] * 2


def test_masks_of_normal_and_anomalous_images(tmp_path: Path) -> None:
    data = open_images(mvtec(tmp_path))
    truth = data.mask(0)
    assert truth is not None
    assert np.array_equal(truth, np.asarray(half_mask()) > 0)
    assert data.mask(1) is None
    normal = data.mask(2)
    assert normal is not None
    assert normal.shape == (48, 64)
    assert not normal.any()


def test_read_gives_pixels_of_the_item(tmp_path: Path) -> None:
    data = open_images(mvtec(tmp_path))
    assert np.array_equal(data.read(3), np.asarray(texture(0)))
    assert (len(data), data.size(3)) == (5, (64, 48))


def test_normal_beside_anomalous(tmp_path: Path) -> None:
    p = open_images(folder(tmp_path, "no/1.jpg", "no/2.jpg", "yes/1.jpg")).profile
    assert (p.layout, p.normal, p.anomalous, p.types) == ("normal-and-anomalous", 2, 1, {"yes": 1})


def test_plain_folder_and_single_image(tmp_path: Path) -> None:
    p = open_images(folder(tmp_path, "a/1.png", "2.bmp")).profile
    assert (p.layout, p.unlabelled, p.normal) == ("plain", 2, 0)
    one = open_images(tmp_path / "2.bmp")
    assert one.items.id.tolist() == ["2.bmp"]
    assert one.profile.items == 1
    assert one.mask(0) is None


def test_a_mask_labels_an_image_that_no_folder_labels(tmp_path: Path) -> None:
    folder(tmp_path, "1.png", "1_mask.png", "2.png")
    save(tmp_path / "2_mask.png", Image.new("L", (64, 48)))
    data = open_images(tmp_path)
    assert data.items.label.tolist() == [1, 0]
    assert data.profile.types == {"anomalous": 1}


def test_duplicates_share_a_group(tmp_path: Path) -> None:
    folder(tmp_path, "good/1.png", "good/2.png")
    texture(0).save(tmp_path / "good" / "3.bmp")
    data = open_images(tmp_path)
    assert data.items.group.tolist() == [0, 1, 0]
    assert data.profile.groups == 2


def test_notes_count_what_is_special(tmp_path: Path) -> None:
    folder(tmp_path, "test/good/1.png", "test/bad/1.png")
    save(tmp_path / "ground_truth" / "bad" / "1.png", half_mask((32, 24)))
    save(tmp_path / "test" / "good" / "2.png", texture(2, (32, 32)).convert("RGBA"))
    save(tmp_path / "test" / "good" / "3.tif", texture(3), save_all=True, append_images=[texture(4)])
    save(tmp_path / "test" / "good" / "4.png", Image.fromarray(np.full((48, 64), 9000, np.uint16)))
    save(tmp_path / "test" / "good" / "5.png", Image.fromarray(np.full((48, 64), 900, np.uint16)))
    exif = Image.Exif()
    exif[0x0112] = 3
    save(tmp_path / "test" / "good" / "6.jpg", texture(6), exif=exif)
    data = open_images(tmp_path)
    assert data.profile.notes == (
        "2 different image sizes",
        "1 images have several frames or pages; the first is used",
        "1 images are turned as their EXIF orientation says",
        "1 images have transparency, which is laid on white",
        "1 16-bit images have no value above 4095 and are read as 12-bit",
        "1 16-bit images are scaled to 8 bits",
        "1 masks are not of their image's size and are resized",
    )
    truth = data.mask(0)
    assert truth is not None
    assert truth.shape == (48, 64)


def test_fingerprint_follows_names_and_contents(tmp_path: Path) -> None:
    mvtec(tmp_path)
    first = open_images(tmp_path).profile.fingerprint
    assert open_images(tmp_path).profile.fingerprint == first
    save(tmp_path / "ground_truth" / "crack" / "000_mask.png", Image.new("L", (64, 48), 255))
    second = open_images(tmp_path).profile.fingerprint
    (tmp_path / "test" / "good" / "000.png").rename(tmp_path / "test" / "good" / "009.png")
    assert len({first, second, open_images(tmp_path).profile.fingerprint}) == 3


def test_progress_counts_up(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    open_images(folder(tmp_path, "1.png", "2.png"), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_an_image_broken_after_the_look_is_refused_when_read(tmp_path: Path) -> None:
    data = open_images(folder(tmp_path, "1.png"))
    path = tmp_path / "1.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UnreadableData, match=r"1\.png: cannot be decoded"):
        data.read(0)
    path.unlink()
    with pytest.raises(UnreadableData) as caught:
        data.read(0)
    assert str(caught.value) == f"{path}: No such file or directory"


def test_recognise(tmp_path: Path) -> None:
    folder(tmp_path, "a/b/1.JPEG")
    (tmp_path / "t.csv").write_text("a,b\n")
    (tmp_path / "tables").mkdir()
    assert recognise(tmp_path)
    assert recognise(tmp_path / "a" / "b" / "1.JPEG")
    assert not recognise(tmp_path / "t.csv")
    assert not recognise(tmp_path / "tables")
    assert not recognise(tmp_path / "absent")
