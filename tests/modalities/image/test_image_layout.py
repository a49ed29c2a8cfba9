from collections import Counter

import pytest

from agentad.modalities.image.layout import Arrangement, arrange, class_of, layout_of


def by_image(ids: list[str]) -> tuple[Arrangement, dict[str, tuple[int, str, str, tuple[str, ...]]]]:
    a = arrange(ids)
    rows = zip(a.images, a.label, a.kind, a.given, a.masks, strict=True)
    return a, {ids[i]: (label, kind, given, tuple(ids[m] for m in masks)) for i, label, kind, given, masks in rows}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *[
            (n, 0)
            for n in ("good", "GOOD", "Normal", "ok_front", "healthy", "no_defect", "defect-free", "non_defective")
        ],
        *[(n, 1) for n in ("bad", "Anomaly", "NG", "abnormal", "def_front", "faulty_imprint", "not_good", "not ok")],
        *[(n, None) for n in ("scratch", "images", "good_and_bad", "goodness", "2024-01-01", "no", "yes")],
    ],
)
def test_class_of(name: str, label: int | None) -> None:
    assert class_of(name) == label


def test_mvtec() -> None:
    a, got = by_image(
        [
            "ground_truth/crack/000_mask.png",
            "ground_truth/hole/000.png",
            "test/crack/000.png",
            "test/good/000.png",
            "test/hole/000.png",
            "train/good/000.png",
        ]
    )
    assert layout_of(a.label, a.given) == "mvtec"
    assert a.notes == []
    assert got == {
        "test/crack/000.png": (1, "crack", "test", ("ground_truth/crack/000_mask.png",)),
        "test/good/000.png": (0, "", "test", ()),
        "test/hole/000.png": (1, "hole", "test", ("ground_truth/hole/000.png",)),
        "train/good/000.png": (0, "", "train", ()),
    }


def test_several_masks_of_one_image_lie_in_a_folder_of_its_name() -> None:
    _, got = by_image(
        [
            "ground_truth/logical_anomalies/007/000.png",
            "ground_truth/logical_anomalies/007/001.png",
            "test/logical_anomalies/007.png",
            "train/good/007.png",
            "validation/good/007.png",
        ]
    )
    assert got["test/logical_anomalies/007.png"] == (
        1,
        "logical_anomalies",
        "test",
        ("ground_truth/logical_anomalies/007/000.png", "ground_truth/logical_anomalies/007/001.png"),
    )
    assert got["validation/good/007.png"][:3] == (0, "", "train")


def test_flat_masks_and_anomalies_in_train() -> None:
    _, got = by_image(
        [
            "ground_truth/anomaly-1_mask.png",
            "test/defect/test-anomaly-1.jpg",
            "test/good/1.jpg",
            "train/defect/anomaly-1.jpg",
            "train/good/anomaly-1.jpg",
        ]
    )
    assert got["train/defect/anomaly-1.jpg"] == (1, "defect", "train", ("ground_truth/anomaly-1_mask.png",))
    assert got["train/good/anomaly-1.jpg"] == (0, "", "train", ())
    assert got["test/defect/test-anomaly-1.jpg"] == (1, "defect", "test", ())


def test_a_flat_mask_that_fits_two_images_is_used_by_neither() -> None:
    a, got = by_image(["gt/1_mask.png", "bad/a/1.png", "bad/b/1.png", "good/1.png"])
    assert got["bad/a/1.png"] == (1, "a", "", ())
    assert got["bad/b/1.png"] == (1, "b", "", ())
    assert "1 mask files belong to no image" in a.notes


def test_normal_beside_anomalous_with_train_inside() -> None:
    a, got = by_image(["no/test/1.jpg", "no/train/1.jpg", "yes/test/1.jpg"])
    assert layout_of(a.label, a.given) == "mvtec"
    assert {id: row[:3] for id, row in got.items()} == {
        "no/test/1.jpg": (0, "", "test"),
        "no/train/1.jpg": (0, "", "train"),
        "yes/test/1.jpg": (1, "yes", "test"),
    }


def test_folder_named_yes_alone_means_nothing() -> None:
    assert arrange(["yes/1.png", "maybe/1.png"]).label == [-1, -1]


def test_types_beside_good() -> None:
    a, got = by_image(["good/1.png", "broken_large/1.png", "glue/1.png"])
    assert layout_of(a.label, a.given) == "normal-and-anomalous"
    assert got["glue/1.png"] == (1, "glue", "", ())
    assert a.notes == ["folders beside the normal images are taken as types of anomaly: glue"]


def test_other_folders_stay_unknown_where_one_holds_all_anomalies() -> None:
    _, got = by_image(["normal/1.png", "anomaly/dent/1.png", "to_sort/1.png"])
    assert got["anomaly/dent/1.png"][:2] == (1, "dent")
    assert got["to_sort/1.png"][:2] == (-1, "")


def test_a_folder_of_masks_makes_a_type() -> None:
    _, got = by_image(["ground_truth/glue/1.png", "good/1.png", "broken/1.png", "glue/1.png", "glue/2.png"])
    assert got["glue/2.png"] == (1, "glue", "", ())


def test_images_and_masks_folders() -> None:
    _, got = by_image(["Data/Images/Anomaly/1.JPG", "Data/Images/Normal/1.JPG", "Data/Masks/Anomaly/1.png"])
    assert got == {
        "Data/Images/Anomaly/1.JPG": (1, "Anomaly", "", ("Data/Masks/Anomaly/1.png",)),
        "Data/Images/Normal/1.JPG": (0, "", "", ()),
    }


def test_masks_beside_images() -> None:
    _, got = by_image(["kos/Part1.jpg", "kos/Part1_label.bmp", "kos/Part2_label.bmp"])
    assert got == {
        "kos/Part1.jpg": (-1, "", "", ("kos/Part1_label.bmp",)),
        "kos/Part2_label.bmp": (-1, "", "", ()),
    }


def test_images_directly_in_train_are_normal_when_test_has_types() -> None:
    a, got = by_image(["train/1.png", "test/good/1.png", "test/dent/1.png"])
    assert got["train/1.png"] == (0, "", "train", ())
    assert got["test/dent/1.png"] == (1, "dent", "test", ())
    assert a.notes == ["1 images lie directly in a train folder and are taken as normal"]


def test_flat_train_and_test_are_unlabelled() -> None:
    a = arrange(["test/1.png", "train/1.png"])
    assert (a.label, a.given, layout_of(a.label, a.given)) == ([-1, -1], ["test", "train"], "plain")


def test_several_data_sets() -> None:
    a, got = by_image(["nut/good/1.png", "nut/bent/1.png", "pill/train/good/1.png", "pill/test/color/1.png"])
    assert got["nut/bent/1.png"][:3] == (1, "nut/bent", "")
    assert got["pill/test/color/1.png"][:3] == (1, "pill/color", "test")
    assert a.notes[-1] == "2 data sets lie side by side (nut, pill); point at one for a sharper detector"


def test_plain_folder_keeps_a_file_that_only_looks_like_a_mask() -> None:
    a = arrange(["a/x_mask.png", "y.png"])
    assert (len(a.images), layout_of(a.label, a.given), Counter(a.label)) == (2, "plain", {-1: 2})


def test_folder_of_masks_only_is_a_folder_of_images() -> None:
    assert len(arrange(["masks/1.png", "masks/2.png"]).images) == 2


def test_each_of_several_data_sets_is_a_category() -> None:
    a = arrange(["nut/good/1.png", "nut/bent/1.png", "pill/train/good/1.png", "pill/test/color/1.png", "misc/1.png"])
    assert a.category == ["nut", "nut", "pill", "pill", ""]
    assert arrange(["train/good/1.png", "test/bent/1.png"]).category == ["", ""]
    assert arrange(["good/1.png", "pill/good/1.png"]).category == [".", "pill"]
