"""PNG, TIFF, BMP, JPEG and WebP files byte by byte, as no honest program writes them, and as few do."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

PNG_START = b"\x89PNG\r\n\x1a\n"


def grain(width: int, height: int, channels: int = 3, seed: int = 0, top: int = 255) -> np.ndarray:
    """Random values (height, width, channels), or (height, width) for one channel."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, top + 1, shape).astype(np.uint8 if top < 256 else np.uint16)


def encoded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    """`pixels` as Pillow writes them."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


# --- PNG ---------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes = b"", *, crc: int | None = None, length: int | None = None) -> bytes:
    check = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", check)


def ihdr(width: int, height: int, depth: int = 8, colour: int = 2, rest: bytes = b"\0\0\0") -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBB", width, height, depth, colour) + rest)


def png_rows(pixels: np.ndarray, kind: int = 0) -> bytes:
    """Unfiltered rows; samples of 16 bits in network order."""
    rows = pixels.reshape(len(pixels), -1)
    wide = rows.astype(">u2") if rows.dtype == np.uint16 else rows
    return b"".join(bytes([kind]) + row.tobytes() for row in wide)


def png(pixels: np.ndarray, *, before: bytes = b"", between: bytes = b"", after: bytes = b"", **header: Any) -> bytes:
    """Grey, grey + alpha, RGB or RGBA of 8 or 16 bits, with chunks put in before, between and after the data."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    fields = {"depth": 8 * pixels.itemsize, "colour": {1: 0, 2: 4, 3: 2, 4: 6}[channels]} | header
    data = zlib.compress(png_rows(pixels))
    half = len(data) // 2
    parts = [before, chunk(b"IDAT", data[:half]), between, chunk(b"IDAT", data[half:]), after]
    return PNG_START + ihdr(pixels.shape[1], pixels.shape[0], **fields) + b"".join(parts) + chunk(b"IEND")


# --- TIFF --------------------------------------------------------------------------------------------------------

Tag = tuple[int, int, Sequence[int] | bytes]
"""(number, type, values)"""
SIZES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}


def tiff(
    tags: Sequence[Tag], data: Sequence[bytes], *, order: str = "<", big: bool = False, following: int | None = 0
) -> bytes:
    """One page: `data` right after the header, its offsets filled in where a tag's values are the string `offsets`.

    `following` is the offset of the next page, None the page's own.
    """
    start = 16 if big else 8
    offsets = np.cumsum([start, *map(len, data)])[:-1].tolist()
    body = b"".join(data)
    body += b"\0" * (len(body) % 2)
    directory = start + len(body)
    entry, count, pointer = (20, "Q", "Q") if big else (12, "H", "I")
    extra_at = directory + struct.calcsize(order + count) + entry * len(tags) + struct.calcsize(order + pointer)
    extra = b""
    entries = b""
    for number, kind, values in tags:
        values = offsets if values == b"offsets" else values
        raw = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{SIZES[kind]}", *values)
        if kind == 5:
            raw = struct.pack(f"{order}{len(values)}I", *values)
        n = len(raw) // (8 if kind == 5 else struct.calcsize(order + SIZES[kind][0]))
        room = 8 if big else 4
        if len(raw) > room:
            place = struct.pack(order + pointer, extra_at + len(extra))
            extra += raw + b"\0" * (len(raw) % 2)
        else:
            place = raw.ljust(room, b"\0")
        entries += struct.pack(order + "HH" + pointer, number, kind, n) + place
    mark = b"II" if order == "<" else b"MM"
    head = (
        mark + struct.pack(order + "HHHQ", 43, 8, 0, directory)
        if big
        else mark + struct.pack(order + "HI", 42, directory)
    )
    next_page = struct.pack(order + pointer, directory if following is None else following)
    return head + body + struct.pack(order + count, len(tags)) + entries + next_page + extra


def tags_of(pixels: np.ndarray, **changes: Sequence[int] | bytes | None) -> list[Tag]:
    """The tags of an uncompressed page in one strip, sorted; changes by name, None to leave one out."""
    height, width = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    found: dict[str, Sequence[int] | bytes | None] = {
        "width": [width],
        "height": [height],
        "bits": [8 * pixels.itemsize] * samples,
        "compression": [1],
        "photometric": [2 if samples > 2 else 1],
        "offsets": b"offsets",
        "samples": [samples],
        "rows": [height],
        "counts": [pixels.nbytes],
        "planar": [1],
        "format": [kind] * samples,
    }
    return [(*NUMBERS[name], values) for name, values in sorted((found | changes).items(), key=_number) if values]


NUMBERS = {
    "width": (256, 4),
    "height": (257, 4),
    "bits": (258, 3),
    "compression": (259, 3),
    "photometric": (262, 3),
    "description": (270, 2),
    "offsets": (273, 4),
    "orientation": (274, 3),
    "samples": (277, 3),
    "rows": (278, 4),
    "counts": (279, 4),
    "resolution": (282, 5),
    "planar": (284, 3),
    "predictor": (317, 3),
    "colours": (320, 3),
    "tile_width": (322, 4),
    "tile_height": (323, 4),
    "tile_offsets": (324, 4),
    "tile_counts": (325, 4),
    "sub": (330, 13),
    "extra": (338, 3),
    "format": (339, 3),
    "exif": (34665, 4),
    "profile": (34675, 1),
}


def _number(item: tuple[str, object]) -> int:
    return NUMBERS[item[0]][0]


def plain_tiff(pixels: np.ndarray, *, order: str = "<", big: bool = False, **changes: Any) -> bytes:
    """`pixels` uncompressed in one strip."""
    raw = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    following = changes.pop("following", 0)
    return tiff(tags_of(pixels, **changes), [raw], order=order, big=big, following=following)


def packed_tiff(pixels: np.ndarray, compression: int, data: bytes, **changes: Any) -> bytes:
    """`pixels` as the compressed strip `data`."""
    return tiff(tags_of(pixels, compression=[compression], counts=[len(data)], **changes), [data])


# --- BMP ---------------------------------------------------------------------------------------------------------


def bmp(
    width: int,
    height: int,
    bits: int,
    data: bytes,
    *,
    palette: bytes = b"",
    compression: int = 0,
    planes: int = 1,
    colours: int | None = None,
    header: int = 40,
    masks: bytes = b"",
    offset: int | None = None,
) -> bytes:
    start = 14 + 40 + len(masks) + len(palette)
    count = len(palette) // 4 if colours is None else colours
    info = struct.pack("<IiiHHIIiiII", header, width, height, planes, bits, compression, len(data), 0, 0, count, 0)
    place = start if offset is None else offset
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, place) + info + masks + palette + data


def bmp_rows(values: np.ndarray, bits: int) -> bytes:
    """Rows from the bottom, each padded to four bytes; values (h, w) of 1, 4 or 8 bits, or bytes (h, w, c)."""
    rows = []
    for row in values[::-1]:
        if bits < 8:
            each = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :].ravel()
            raw = np.packbits(each).tobytes()
        else:
            raw = row.tobytes()
        rows.append(raw + b"\0" * (-len(raw) % 4))
    return b"".join(rows)


# --- JPEG and WebP -----------------------------------------------------------------------------------------------


def segment(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + struct.pack(">H", len(data) + 2) + data


def jpeg(**options: Any) -> bytes:
    return encoded(grain(40, 40), "JPEG", **options)


def jpeg_size(data: bytes, height: int, width: int) -> bytes:
    """`data` with another size in its frame header."""
    at = next(i for i in (data.find(bytes([0xFF, kind])) for kind in (0xC0, 0xC2)) if i >= 0)
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def without_segment(data: bytes, kind: int) -> bytes:
    at = data.index(bytes([0xFF, kind]))
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0] :]


def many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose few bytes a scan make the decoder visit every block of a large picture each time."""
    whole = encoded(np.full((side, side), 128, np.uint8), "JPEG", progressive=True)
    starts = [i for i in range(len(whole) - 1) if whole[i : i + 2] == b"\xff\xda"]
    last = whole[starts[-1] : -2]
    return whole[:-2] + last * scans + whole[-2:]


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body
