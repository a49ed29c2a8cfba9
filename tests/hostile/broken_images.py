"""Images and folders of images that break readers."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Maker = Callable[[Path], object]


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (40, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.random.default_rng(seed).integers(0, 255, (size[1], size[0]), dtype=np.uint8)
    Image.fromarray(grey).save(path, format={".jpg": "JPEG", ".tif": "TIFF", ".webp": "WEBP"}.get(path.suffix, "PNG"))
    return path


def good(folder: Path, count: int = 4) -> Path:
    for i in range(count):
        picture(folder / f"good {i}.png", i)
    return folder


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def _cut(path: Path) -> None:
    picture(path, 9)
    os.truncate(path, path.stat().st_size // 2)


def _vast(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


BROKEN: dict[str, tuple[str, Maker]] = {
    # name: (file name, how it is made); each is skipped beside good images and refused when alone
    "truncated png": ("x.png", _cut),
    "truncated jpeg": ("x.jpg", _cut),
    "truncated tiff": ("x.tif", _cut),
    "truncated webp": ("x.webp", _cut),
    "zero bytes": ("x.png", lambda path: path.write_bytes(b"")),
    "text": ("x.png", lambda path: path.write_text("hello\n" * 9)),
    "web page": ("x.jpg", lambda path: path.write_text("<!doctype html><title>404</title>")),
    "noise": ("x.bmp", lambda path: path.write_bytes(bytes(range(256)) * 9)),
    "decompression bomb": ("x.png", lambda path: path.write_bytes(png_header(100_000, 100_000))),
    "no pixels": ("x.png", lambda path: path.write_bytes(png_header(0, 0))),
    "tebibyte": ("x.bmp", _vast),
    "floats beyond 1": ("x.tif", lambda path: Image.fromarray(np.full((9, 9), 300, np.float32)).save(path)),
    "pipe": ("x.png", os.mkfifo),
    "folder named png": ("x.png", lambda path: path.mkdir() or (path / "y.png").write_bytes(b"")),
    "device": ("x.png", lambda path: path.symlink_to("/dev/zero")),
    "dangling link": ("x.png", lambda path: path.symlink_to("nowhere")),
    "link to itself": ("x.png", lambda path: path.symlink_to("x.png")),
    "link outside": ("x.png", lambda path: path.symlink_to("../../../../../../etc/hostname")),
    "loop of folders": ("loop", lambda path: path.symlink_to("..")),
    "name of two lines": ("x\ny\x1b[2J.png", lambda path: path.write_bytes(b"")),
    "name that is not UTF-8": ("caf\udce9.png", lambda path: path.write_bytes(b"x")),
    "name with quotes": ("a 'b\" <i>.png", lambda path: path.write_bytes(b"x")),
}


def _names(folder: Path) -> None:
    for i, name in enumerate(
        [b"a b.png", b"q'\".png", b"n\nl.png", b"caf\xe9.png", b"\x1b[2J.png", b"..png", b"<i>.png"]
    ):
        picture(folder / os.fsdecode(name), i)


def _deep(folder: Path) -> None:
    for i in range(4):
        picture(folder.joinpath(*["d" * 40] * 12) / f"{i}.png", i)


def _mixed(folder: Path) -> None:
    for i, mode in enumerate(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]):
        image = Image.fromarray(np.random.default_rng(i).integers(0, 255, (20 + i, 30, 3), dtype=np.uint8))
        image.convert(mode).save(folder / f"{i}.{'tif' if mode == 'CMYK' else 'png'}")


def _tiny(folder: Path) -> None:
    for i in range(4):
        picture(folder / f"{i}.png", i, (1, 1 + i))


def _long(folder: Path) -> None:
    for i in range(3):
        picture(folder / f"{i}.png", i, (4000, 1))


def _flat(folder: Path) -> None:
    for i in range(4):
        Image.new("RGB", (30, 30), (60 * i, 60 * i, 60 * i)).save(folder / f"{i}.png")


def _mvtec_with_broken_parts(folder: Path) -> None:
    for i in range(4):
        picture(folder / "train" / "good" / f"{i}.png", i)
        picture(folder / "test" / "bad" / f"{i}.png", 10 + i)
        picture(folder / "test" / "good" / f"{i}.png", 20 + i)
        picture(folder / "ground_truth" / "bad" / f"{i}_mask.png", 30 + i)
    (folder / "train" / "good" / "broken.png").write_bytes(b"x")
    (folder / "test" / "bad" / "broken.png").write_bytes(b"")
    (folder / "ground_truth" / "bad" / "0_mask.png").write_bytes(b"x")


USABLE: dict[str, tuple[Maker, int]] = {
    # name: (how the folder is filled, how many things are skipped)
    "odd names": (_names, 1),
    "deep folders": (_deep, 0),
    "every pixel layout": (_mixed, 0),
    "single pixels": (_tiny, 0),
    "4000 x 1 pixels": (_long, 0),
    "flat colours": (_flat, 0),
    "broken train, test and mask": (_mvtec_with_broken_parts, 3),
}
