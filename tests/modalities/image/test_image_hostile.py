"""Folders made to hurt: each bad thing is skipped with its reason beside a good image, or refused when alone."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from render import folder, save, texture

from agentad.errors import UnreadableData
from agentad.modalities.image import open_images


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def truncated(path: Path, keep: float, **options: object) -> Path:
    save(path, texture(5), **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    return path


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


HOSTILE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated png": ("x.png", lambda p: truncated(p, 0.5), "cannot be decoded: image file is truncated"),
    "truncated jpeg": ("x.jpg", lambda p: truncated(p, 0.5), "cannot be decoded: image file is truncated"),
    "truncated large jpeg": (
        "x.jpg",
        lambda p: (texture(5, (1600, 1200)).save(p), os.truncate(p, p.stat().st_size // 2)),
        "cannot be decoded: image file is truncated",
    ),
    "truncated tiff": ("x.tif", lambda p: truncated(p, 0.5), "cannot be decoded: "),
    "truncated webp": ("x.webp", lambda p: truncated(p, 0.5), "cannot be decoded: "),
    "truncated bmp": ("x.bmp", lambda p: truncated(p, 0.5), "cannot be decoded: image file is truncated"),
    "header only": ("x.png", lambda p: truncated(p, 0.004), "not a PNG, JPEG, TIFF, BMP or WebP image"),
    "zero bytes": ("x.png", lambda p: write(p, b""), "empty file"),
    "text": ("x.png", lambda p: write(p, b"hello, world\n" * 9), "not a PNG, JPEG, TIFF, BMP or WebP image"),
    "binary noise": ("x.jpg", lambda p: write(p, bytes(range(256)) * 9), "not a PNG, JPEG, TIFF, BMP or WebP image"),
    "postscript": ("x.png", lambda p: write(p, b"%!PS-Adobe-3.0 EPSF-3.0\n"), "not a PNG, JPEG, TIFF, BMP or WebP"),
    "bomb": ("x.png", lambda p: write(p, png_header(100_000, 100_000)), "more than 100,000,000 pixels"),
    "large": (
        "x.png",
        lambda p: write(p, png_header(12_000, 10_000)),
        "12000 x 10000 pixels, more than the 100,000,000",
    ),
    "vast file": ("x.bmp", lambda p: (p.touch(), os.truncate(p, 1 << 40)), "larger than 1024 MiB"),
    "pipe": ("x.png", os.mkfifo, "not a regular file (a pipe, socket or device)"),
    "device": ("x.png", lambda p: p.symlink_to("/dev/zero"), "link that leads outside the folder; copy the file in"),
    "dangling link": ("x.png", lambda p: p.symlink_to("nowhere"), "link that leads nowhere: No such file"),
    "link to itself": ("x.png", lambda p: p.symlink_to("x.png"), "link that leads nowhere: Too many levels"),
    "link up": ("loop", lambda p: p.symlink_to(".."), "link that leads outside the folder"),
    "loop": ("loop", lambda p: p.symlink_to("."), "link to a folder; not followed"),
    "link outside": ("x.png", lambda p: p.symlink_to("../../../etc/hostname"), "link that leads"),
    "hidden": (".x.png", lambda p: texture(5).save(p), "hidden or system file"),
    "thumbs.db": ("Thumbs.db", lambda p: write(p, b"x"), "hidden or system file"),
    "another kind": ("notes.txt", lambda p: write(p, b"x"), "not an image (.txt)"),
    "an image that is not read": (
        "x.GIF",
        lambda p: write(p, b"GIF89a"),
        "images of this kind are not read (.GIF); save",
    ),
    "no suffix": ("README", lambda p: write(p, b"x"), "not an image (no suffix)"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_skipped_and_listed_beside_a_good_image(tmp_path: Path, case: str) -> None:
    name, make, reason = HOSTILE[case]
    folder(tmp_path, "good.png")
    make(tmp_path / name)
    profile = open_images(tmp_path).profile
    assert (profile.items, profile.n_skipped) == (1, 1)
    assert profile.skipped[0].path == name
    assert profile.skipped[0].reason.startswith(reason)


@pytest.mark.parametrize("case", HOSTILE)
def test_refused_when_alone(tmp_path: Path, case: str) -> None:
    name, make, reason = HOSTILE[case]
    make(tmp_path / name)
    with pytest.raises(UnreadableData) as caught:
        open_images(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: holds no image that can be read ({name}: {reason}")


@pytest.mark.parametrize("case", ["truncated png", "zero bytes", "text", "bomb", "pipe"])
def test_refused_as_a_single_file(tmp_path: Path, case: str) -> None:
    name, make, reason = HOSTILE[case]
    make(tmp_path / name)
    with pytest.raises(UnreadableData) as caught:
        open_images(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert reason in str(caught.value)


def test_empty_and_absent_folders(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData) as caught:
        open_images(tmp_path)
    assert str(caught.value) == f"{tmp_path}: holds no image that can be read (it is empty)"
    with pytest.raises(UnreadableData) as caught:
        open_images(tmp_path / "absent")
    assert str(caught.value) == f"{tmp_path / 'absent'}: no such file or folder"
    with pytest.raises(UnreadableData):
        open_images(tmp_path / ("long" * 200))


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path, "a.png", "locked/b.png")
    scandir = os.scandir

    def refuse(path: Path) -> object:  # root may list everything, so permissions cannot be taken away for real
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    profile = open_images(tmp_path).profile
    assert profile.items == 1
    assert [(s.path, s.reason) for s in profile.skipped] == [
        ("locked/", "folder cannot be listed: Permission denied"),
    ]


NAMES = [
    b"with space.png",
    b"quote'\".png",
    b"new\nline.png",
    b"tab\tand\x1b[31m.png",
    b"latin-\xe9.png",
    b"back\\slash.png",
    b"\\xe9.png",
    b"\xe9.png",
    b"a..b..png",
    b"-rf.png",
    b"%s{0}.png",
    b"x" * 250 + b".png",
    "über-日本.PNG".encode(),
]


def test_strange_names_become_distinct_valid_ids(tmp_path: Path) -> None:
    for seed, name in enumerate(NAMES):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:  # noqa: PTH118, PTH123
            texture(seed).save(file, "PNG")
    data = open_images(tmp_path)
    ids = data.items.id.tolist()
    assert len(set(ids)) == len(NAMES)
    assert ids == sorted(ids)
    for id in ids:
        id.encode()
    assert {"new\nline.png", "latin-\\xe9.png", "back\\\\slash.png", "\\\\xe9.png", "\\xe9.png"} < set(ids)
    data.profile.model_dump_json()
    assert all(data.read(i).shape == (48, 64, 3) for i in range(len(data)))


def test_strange_names_are_shown_on_one_line(tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), b"bad\n\xff\x1b[0m.png"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"x")
    with pytest.raises(UnreadableData) as caught:
        open_images(tmp_path)
    assert "(bad\\n\\xff\\x1b[0m.png: not a PNG" in str(caught.value)


def test_a_file_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    folder(tmp_path, "all/1.png")
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "1.png").symlink_to("../all/1.png")
    data = open_images(tmp_path)
    assert data.items.id.tolist() == ["all/1.png", "good/1.png"]
    assert data.items.group.tolist() == [0, 0]


def test_a_broken_mask_leaves_the_image_without_ground_truth(tmp_path: Path) -> None:
    folder(tmp_path, "good/1.png", "bad/1.png")
    (tmp_path / "ground_truth" / "bad").mkdir(parents=True)
    (tmp_path / "ground_truth" / "bad" / "1_mask.png").write_bytes(b"x")
    data = open_images(tmp_path)
    assert data.mask(0) is None
    assert data.profile.skipped[0].reason == (
        "mask left out: not a PNG, JPEG, TIFF, BMP or WebP image, or of a layout that is not read, or "
        "damaged from the start"
    )


def test_many_bad_files_are_counted_and_the_first_listed(tmp_path: Path) -> None:
    folder(tmp_path, "good.png")
    for k in range(70):
        (tmp_path / f"{k:03}.png").write_bytes(b"x")
    profile = open_images(tmp_path).profile
    assert (profile.n_skipped, len(profile.skipped)) == (70, 50)
    assert profile.skipped[0].path == "000.png"


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp"])
def test_flipped_bytes_never_escape_as_another_error(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"x.{suffix}", texture(1, (24, 16)))
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            open_images(path).read(0)
        except UnreadableData as problem:
            assert str(problem).startswith(str(path))


def test_nothing_is_written(tmp_path: Path) -> None:
    folder(tmp_path, "good/1.png", "bad/1.png")
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    data = open_images(tmp_path)
    data.read(0)
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before


def test_animated_and_multipage_images_count_once(tmp_path: Path) -> None:
    frames = [texture(k) for k in range(3)]
    save(tmp_path / "a.webp", frames[0], save_all=True, append_images=frames[1:])
    save(tmp_path / "b.tif", Image.new("L", (8, 8)), save_all=True, append_images=[Image.new("L", (99, 99))])
    profile = open_images(tmp_path).profile
    assert profile.items == 2
    assert "2 images have several frames or pages; the first is used" in profile.notes
