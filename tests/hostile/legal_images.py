"""Unusual images that are right all the same, with the pixels each must be read as.

The files are put together byte by byte where Pillow, which reads them in agentad, would have written them as well.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from image_bytes import (
    PNG_START,
    bmp,
    bmp_rows,
    chunk,
    encoded,
    grain,
    ihdr,
    packed_tiff,
    plain_tiff,
    png,
    png_rows,
    tags_of,
    tiff,
)
from PIL import Image, ImageCms

W, H = 36, 24
RGB = grain(W, H)
GREY = grain(W, H, 1)
DEEP = grain(W, H, 1, top=65_535)
TWELVE = grain(W, H, 1, top=4_095)
ALPHA = grain(W, H, 1, seed=5)
FLAG = Image.fromarray(
    np.kron(np.array([[[250, 20, 20], [20, 230, 20]], [[20, 20, 240], [230, 230, 30]]]), np.ones((12, 18, 1))).astype(
        np.uint8
    )
)
"""Four flat quarters, which lossy formats keep."""
GREY_FLAG = FLAG.convert("L").convert("RGB")


@dataclass(frozen=True)
class Legal:
    name: str
    data: bytes
    pixels: np.ndarray
    """(height, width, 3) uint8."""
    off: int = 0
    """How far a lossy format may be off at each pixel."""


def rgb(values: np.ndarray) -> np.ndarray:
    """Grey values (H, W), of any range, as three equal channels of 8 bits."""
    return np.repeat(np.asarray(values).astype(np.uint8)[:, :, None], 3, axis=2)


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[:, :, None] / 255
    return np.rint(colour * share + 255 * (1 - share)).astype(np.uint8)


def scaled(values: np.ndarray, top: int) -> np.ndarray:
    return rgb(np.rint(values * (255 / top)))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def palette_png(indices: np.ndarray, colours: np.ndarray, *, depth: int = 8, clear: bytes = b"") -> bytes:
    rows = b"".join(b"\0" + _packed(row, depth) for row in indices)
    extra = chunk(b"PLTE", colours.tobytes()) + (chunk(b"tRNS", clear) if clear else b"")
    body = extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")
    return PNG_START + ihdr(indices.shape[1], indices.shape[0], depth, 3) + body


def grey_png(values: np.ndarray, depth: int) -> bytes:
    rows = b"".join(b"\0" + _packed(row, depth) for row in values)
    return PNG_START + ihdr(W, H, depth, 0) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def _packed(row: np.ndarray, depth: int) -> bytes:
    bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :]
    return np.packbits(bits.ravel()).tobytes()


def interlaced_png(pixels: np.ndarray) -> bytes:
    """Adam7: seven passes over an 8 x 8 pattern."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    data = b"".join(png_rows(pixels[y::dy, x::dx]) for y, x, dy, dx in passes)
    head = ihdr(pixels.shape[1], pixels.shape[0], rest=b"\0\0\1")
    return PNG_START + head + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND")


def animated(kind: str, frames: int = 3, **options: Any) -> bytes:
    pictures = [Image.fromarray(RGB), *(Image.fromarray(grain(W, H, seed=k + 9)) for k in range(frames - 1))]
    return saved(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=50, **options)


def multipage_tiff() -> bytes:
    pictures = [Image.fromarray(RGB), Image.fromarray(grain(9, 5, 1)), Image.fromarray(DEEP)]
    return saved(pictures[0], "TIFF", save_all=True, append_images=pictures[1:])


def tiled_tiff(pixels: np.ndarray, side: int = 16) -> bytes:
    height, width = pixels.shape[:2]
    full = np.pad(pixels, ((0, -height % side), (0, -width % side), (0, 0)))
    tiles = [full[y : y + side, x : x + side].tobytes() for y in range(0, height, side) for x in range(0, width, side)]
    changes = {"offsets": None, "counts": None, "rows": None}
    tags = tags_of(
        pixels,
        tile_width=[side],
        tile_height=[side],
        tile_offsets=b"offsets",
        tile_counts=[len(tile) for tile in tiles],
        **changes,
    )
    return tiff(tags, tiles)


def planar_tiff(pixels: np.ndarray) -> bytes:
    planes = [np.ascontiguousarray(pixels[:, :, c]).tobytes() for c in range(3)]
    return tiff(tags_of(pixels, planar=[2], counts=[len(plane) for plane in planes]), planes)


def striped_tiff(pixels: np.ndarray, rows: int) -> bytes:
    strips = [pixels[y : y + rows].tobytes() for y in range(0, len(pixels), rows)]
    return tiff(tags_of(pixels, rows=[rows], counts=[len(strip) for strip in strips]), strips)


def packed_bits(raw: bytes) -> bytes:
    return b"".join(bytes([len(part) - 1]) + part for part in (raw[i : i + 128] for i in range(0, len(raw), 128)))


def twelve_bits(values: np.ndarray) -> bytes:
    """Two values in three bytes."""
    bits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 4:]
    return np.packbits(bits.ravel()).tobytes()


def lzw(pixels: np.ndarray, **options: Any) -> bytes:
    return encoded(pixels, "TIFF", compression="tiff_lzw", **options)


def turned(orientation: int, kind: str) -> Legal:
    """A flag whose stored pixels come upright only when they are turned as the EXIF data says."""
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # Image.Transpose
    stored = FLAG if undo is None else FLAG.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossy = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    data = saved(stored, kind, exif=exif, **lossy)
    return Legal(f"x.{kind.lower()}", data, np.asarray(FLAG), 40 if lossy else 0)


def rle8(indices: np.ndarray) -> bytes:
    rows = (b"".join(bytes([1, v]) for v in row.tolist()) + b"\0\0" for row in indices[::-1])
    return b"".join(rows) + b"\0\1"


def rle4(indices: np.ndarray) -> bytes:
    rows = (b"".join(bytes([2, a << 4 | b]) for a, b in row.reshape(-1, 2).tolist()) + b"\0\0" for row in indices[::-1])
    return b"".join(rows) + b"\0\1"


def bmp_palette(colours: np.ndarray) -> bytes:
    return np.pad(colours[:, ::-1], ((0, 0), (0, 1))).tobytes()


def jpeg_of_inks(cyan: int, magenta: int, yellow: int, black: int, *, ycck: bool = False) -> bytes:
    """Inks are inverted in the file, as Adobe does; with `ycck` the first three are kept as brightness and colour."""
    first = (cyan, magenta, yellow)
    if ycck:
        whole = Image.new("RGB", (1, 1), first).convert("YCbCr").getpixel((0, 0))
        first = tuple(255 - v for v in whole)  # type: ignore[union-attr]
    data = saved(Image.new("CMYK", (W, H), (*first, black)), "JPEG", quality=95)
    at = data.index(b"Adobe") + 11  # the transform: 0 as it is, 2 YCCK
    return data[:at] + bytes([2 if ycck else 0]) + data[at + 1 :]


def inked(cyan: int, magenta: int, yellow: int, black: int) -> np.ndarray:
    """The plain colour of inks, as light that each leaves."""
    light = [(255 - ink) * (255 - black) / 255 for ink in (cyan, magenta, yellow)]
    return np.full((H, W, 3), np.rint(light), np.uint8)


COLOURS = grain(16, 1, 3, seed=3)[0]
SIXTEEN = grain(W, H, 1, seed=4, top=15)
MANY = grain(W, H, 1, seed=4)
PALETTE = grain(256, 1, 3, seed=6)[0]
BITS = grain(W, H, 1, seed=7, top=1)
FIVE = grain(W, H, 3, seed=8, top=31).astype(np.uint16)
HALF = (FIVE[..., 0] << 10 | FIVE[..., 1] << 5 | FIVE[..., 2]).astype("<u2")
WIDE, TALL = grain(10_000, 1), grain(1, 10_000)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
INKS = (20, 200, 160, 30)
RGBA = np.dstack([RGB, ALPHA])
TRANSPARENT = bytes([0, 128] + [255] * 14)
UNIT = (GREY / 255).astype(np.float32)

LEGAL: dict[str, Legal] = {
    "1 x 1": Legal("x.png", png(RGB[:1, :1]), RGB[:1, :1]),
    "2 x 2": Legal("x.bmp", bmp(2, 2, 24, bmp_rows(RGB[:2, :2, ::-1], 24)), RGB[:2, :2]),
    "1 x 10000": Legal("x.png", png(TALL), TALL),
    "10000 x 1": Legal("x.tif", plain_tiff(WIDE), WIDE),
    "grey of 16 bits, PNG": Legal("x.png", png(DEEP), scaled(DEEP, 65_535)),
    "grey of 16 bits, TIFF": Legal("x.tif", plain_tiff(DEEP), scaled(DEEP, 65_535)),
    "grey of 16 bits, Motorola's order": Legal("x.tif", plain_tiff(DEEP, order=">"), scaled(DEEP, 65_535)),
    "grey of 12 bits in 16": Legal("x.png", png(TWELVE), scaled(TWELVE, 4_095)),
    "grey of 12 bits, packed": Legal(
        "x.tif",
        tiff(tags_of(TWELVE, bits=[12], counts=[W * H * 3 // 2]), [twelve_bits(TWELVE)]),
        scaled(TWELVE, 4_095),
    ),
    "colour of 16 bits": Legal(
        "x.png", png(grain(W, H, 3, top=65_535)), (grain(W, H, 3, top=65_535) >> 8).astype("u1")
    ),
    "colour of 16 bits, TIFF": Legal(
        "x.tif", plain_tiff(grain(W, H, 3, top=65_535)), (grain(W, H, 3, top=65_535) >> 8).astype("u1")
    ),
    "grey of 1 bit, PNG": Legal("x.png", grey_png(BITS, 1), rgb(BITS * 255)),
    "grey of 2 bits": Legal("x.png", grey_png(SIXTEEN >> 2, 2), rgb((SIXTEEN >> 2) * 85)),
    "grey of 4 bits": Legal("x.png", grey_png(SIXTEEN, 4), rgb(SIXTEEN * 17)),
    "grey and alpha": Legal("x.png", png(np.dstack([GREY, ALPHA])), on_white(rgb(GREY), ALPHA), 1),
    "colour and alpha": Legal("x.png", png(RGBA), on_white(RGB, ALPHA), 1),
    "colour and alpha, TIFF": Legal("x.tif", plain_tiff(RGBA, extra=[2]), on_white(RGB, ALPHA), 1),
    "palette": Legal("x.png", palette_png(MANY, PALETTE), PALETTE[MANY]),
    "palette of 4 bits": Legal("x.png", palette_png(SIXTEEN, COLOURS, depth=4), COLOURS[SIXTEEN]),
    "palette with transparency": Legal(
        "x.png",
        palette_png(SIXTEEN, COLOURS, clear=TRANSPARENT),
        on_white(COLOURS[SIXTEEN], np.frombuffer(TRANSPARENT, np.uint8)[SIXTEEN]),
        1,
    ),
    "a transparent colour": Legal(
        "x.png",
        png(RGB, before=chunk(b"tRNS", struct.pack(">HHH", *RGB[3, 5].tolist()))),
        np.where((RGB[3, 5] == RGB).all(axis=2, keepdims=True), 255, RGB).astype(np.uint8),
    ),
    "interlaced": Legal("x.png", interlaced_png(RGB), RGB),
    "with a colour profile": Legal("x.png", png(RGB, before=chunk(b"iCCP", b"s\0\0" + zlib.compress(PROFILE))), RGB),
    "with gamma": Legal("x.png", png(RGB, before=chunk(b"gAMA", struct.pack(">I", 45_455))), RGB),
    "grey in three channels": Legal("x.png", png(rgb(GREY)), rgb(GREY)),
    "all black": Legal("x.png", png(np.zeros_like(RGB)), np.zeros_like(RGB)),
    "all white": Legal("x.png", png(np.full_like(RGB, 255)), np.full_like(RGB, 255)),
    "one colour": Legal("x.png", png(np.full_like(RGB, (9, 99, 199))), np.full_like(RGB, (9, 99, 199))),
    "black in 16 bits": Legal("x.png", png(np.zeros_like(DEEP)), np.zeros_like(RGB)),
    "animated PNG": Legal("x.png", animated("PNG"), RGB),
    "animated WebP": Legal("x.webp", animated("WEBP", lossless=True), RGB),
    "lossless WebP": Legal("x.webp", encoded(RGB, "WEBP", lossless=True), RGB),
    "WebP with alpha": Legal("x.webp", encoded(RGBA, "WEBP", lossless=True, exact=True), on_white(RGB, ALPHA), 1),
    "lossy WebP": Legal("x.webp", saved(GREY_FLAG, "WEBP", quality=95), np.asarray(GREY_FLAG), 12),
    "TIFF of several pages": Legal("x.tif", multipage_tiff(), RGB),
    "TIFF in Motorola's order": Legal("x.tif", plain_tiff(RGB, order=">"), RGB),
    "big TIFF": Legal("x.tif", plain_tiff(RGB, big=True), RGB),
    "TIFF in tiles": Legal("x.tif", tiled_tiff(RGB), RGB),
    "TIFF in planes": Legal("x.tif", planar_tiff(RGB), RGB),
    "TIFF in strips": Legal("x.tif", striped_tiff(RGB, 5), RGB),
    "TIFF, LZW": Legal("x.tif", lzw(RGB), RGB),
    "TIFF, LZW of differences": Legal("x.tif", lzw(RGB, tiffinfo={317: 2}), RGB),
    "TIFF, deflate": Legal("x.tif", packed_tiff(RGB, 8, zlib.compress(RGB.tobytes())), RGB),
    "TIFF, packed bits": Legal("x.tif", packed_tiff(RGB, 32_773, packed_bits(RGB.tobytes())), RGB),
    "TIFF, JPEG": Legal("x.tif", saved(FLAG, "TIFF", compression="jpeg", quality=95), np.asarray(FLAG), 60),
    "TIFF, white is 0": Legal("x.tif", plain_tiff(GREY, photometric=[0]), rgb(255 - GREY)),
    "TIFF of 1 bit": Legal(
        "x.tif",
        tiff(tags_of(BITS, bits=[1], counts=[5 * H]), [np.packbits(BITS, axis=1).tobytes()]),
        rgb(BITS * 255),
    ),
    "TIFF of inks": Legal(
        "x.tif",
        plain_tiff(np.full((H, W, 4), (0, 255, 255, 0), np.uint8), photometric=[5]),
        np.full_like(RGB, (255, 0, 0)),
        2,
    ),
    "TIFF with a palette": Legal(
        "x.tif",
        plain_tiff(MANY, photometric=[3], colours=(PALETTE.T.astype(int) * 257).ravel().tolist()),
        PALETTE[MANY],
    ),
    "TIFF of floats from 0 to 1": Legal("x.tif", plain_tiff(UNIT), rgb(GREY)),
    "BMP of 1 bit": Legal(
        "x.bmp", bmp(W, H, 1, bmp_rows(BITS, 1), palette=bmp_palette(COLOURS[:2])), COLOURS[:2][BITS]
    ),
    "BMP of 4 bits": Legal("x.bmp", bmp(W, H, 4, bmp_rows(SIXTEEN, 4), palette=bmp_palette(COLOURS)), COLOURS[SIXTEEN]),
    "BMP of 8 bits": Legal("x.bmp", bmp(W, H, 8, bmp_rows(MANY, 8), palette=bmp_palette(PALETTE)), PALETTE[MANY]),
    "BMP of 16 bits": Legal(
        "x.bmp", bmp(W, H, 16, HALF[::-1].tobytes()), np.rint(FIVE * (255 / 31)).astype(np.uint8), 1
    ),
    "BMP of 24 bits": Legal("x.bmp", bmp(W, H, 24, bmp_rows(RGB[..., ::-1], 24)), RGB),
    "BMP of 32 bits": Legal(
        "x.bmp", bmp(W, H, 32, bmp_rows(np.pad(RGB[..., ::-1], ((0, 0), (0, 0), (0, 1))), 32)), RGB
    ),
    "BMP from the top": Legal("x.bmp", bmp(W, -H, 24, bmp_rows(RGB[::-1, :, ::-1], 24)), RGB),
    "BMP of runs, 8 bits": Legal(
        "x.bmp", bmp(W, H, 8, rle8(MANY), palette=bmp_palette(PALETTE), compression=1), PALETTE[MANY]
    ),
    "BMP of runs, 4 bits": Legal(
        "x.bmp", bmp(W, H, 4, rle4(SIXTEEN), palette=bmp_palette(COLOURS), compression=2), COLOURS[SIXTEEN]
    ),
    "JPEG": Legal("x.jpg", saved(FLAG, "JPEG", quality=95, subsampling=0), np.asarray(FLAG), 40),
    "progressive JPEG": Legal(
        "x.jpg", saved(FLAG, "JPEG", quality=95, subsampling=0, progressive=True), np.asarray(FLAG), 40
    ),
    "grey JPEG": Legal("x.jpg", saved(FLAG.convert("L"), "JPEG", quality=95), rgb(np.asarray(FLAG.convert("L"))), 40),
    "JPEG of inks": Legal("x.jpg", jpeg_of_inks(*INKS), inked(*INKS), 4),
    "JPEG of inks, YCCK": Legal("x.jpg", jpeg_of_inks(*INKS, ycck=True), inked(*INKS), 6),
    "upper-case suffix": Legal("X.PNG", png(RGB), RGB),
    "JPEG called .png": Legal("x.png", saved(FLAG, "JPEG", quality=95, subsampling=0), np.asarray(FLAG), 40),
    **{f"EXIF orientation {k}, {kind}": turned(k, kind) for k in range(1, 9) for kind in ("JPEG", "PNG", "TIFF")},
}
"""By name."""

REFUSED: dict[str, tuple[str, bytes]] = {
    # legal, but not read: said so, and never read wrongly
    "big TIFF in Motorola's order": ("x.tif", plain_tiff(RGB, big=True, order=">")),
    "TIFF of doubles": ("x.tif", plain_tiff(UNIT.astype(np.float64))),
    "TIFF of floats beyond 1": ("x.tif", plain_tiff(UNIT * 300)),
    "TIFF of signed numbers": ("x.tif", plain_tiff(DEEP.astype(np.int16))),
    "GIF": ("x.gif", encoded(GREY, "GIF")),
}
