"""What may be wrong with a detector folder that came from elsewhere. Each takes a good one and spoils it."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

Spoil = Callable[[Path], object]


def sign(folder: Path) -> None:
    """Make the manifest agree with the files again, as an attacker would."""
    path = folder / "detector.json"
    document = json.loads(path.read_text())
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != path)
    document["files"] = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    path.write_text(json.dumps(document))


def written(name: str, content: bytes | str, *, signed: bool = False) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if signed:
            sign(folder)

    return spoil


def manifest(**fields: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "detector.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return spoil


def plan(**fields: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        own = json.loads((folder / "detector.json").read_text())["plan"]
        manifest(plan={**own, **fields})(folder)

    return spoil


def settings(part: str, **fields: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / part / "settings.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
        sign(folder)

    return spoil


def arrays(part: str, change: Callable[[np.ndarray], np.ndarray], *names: str) -> Spoil:
    """Change the arrays `names`, or all of them."""

    def spoil(folder: Path) -> None:
        path = folder / part / "arrays.safetensors"
        found = load_file(path)
        changed = {
            name: np.ascontiguousarray(change(a)) if not names or name in names else a for name, a in found.items()
        }
        path.unlink()
        save_file(changed, path)
        sign(folder)

    return spoil


def renamed_arrays(folder: Path) -> None:
    path = folder / "scorer" / "arrays.safetensors"
    found = load_file(path)
    path.unlink()
    save_file({f"{name}-x": array for name, array in found.items()}, path)
    sign(folder)


def linked(name: str, target: str) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return spoil


def piped(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def vast(folder: Path) -> None:
    (folder / "vast.bin").touch()
    os.truncate(folder / "vast.bin", 1 << 40)


def removed(name: str) -> Spoil:
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


DEEP = "[" * 100_000 + "]" * 100_000
HEADER = (1 << 60).to_bytes(8, "little") + b"{}"
LIE = json.dumps({"vectors": {"dtype": "F32", "shape": [1 << 40, 9], "data_offsets": [0, 1 << 45]}}).encode()

DETECTORS: dict[str, Spoil] = {
    "no manifest": removed("detector.json"),
    "no encoder": removed("encoder"),
    "no scorer arrays": removed("scorer/arrays.safetensors"),
    "nothing at all": lambda folder: [removed(p.name)(folder) for p in list(folder.iterdir())],
    "manifest of zero bytes": written("detector.json", b""),
    "manifest that is a list": written("detector.json", "[1]"),
    "manifest that is binary": written("detector.json", bytes(range(256))),
    "manifest nested deeply": written("detector.json", DEEP),
    "manifest with NaN": written("detector.json", '{"format": NaN}'),
    "manifest of 100 MB": written("detector.json", b" " * 100_000_000 + b"{}"),
    "manifest with a long number": written("detector.json", '{"format": ' + "1" * 5000 + "}"),
    "manifest that is a pipe": piped("detector.json"),
    "manifest that is a folder": lambda folder: (removed("detector.json")(folder), (folder / "detector.json").mkdir()),
    "format of the future": manifest(format=2),
    "format that is text": manifest(format="1"),
    "files that climb": manifest(files={"../../../etc/passwd": "0" * 64}),
    "files that are a list": manifest(files=["a"]),
    "no plan": manifest(plan=None),
    "plan with an unknown key": plan(colour="red"),
    "plan with an unknown tool": plan(detector={"tool": "os.system"}),
    "plan with an encoder as detector": plan(detector={"tool": "table-encoder"}),
    "plan with a detector as encoder": plan(encoder={"tool": "memory-bank"}),
    "plan of another modality": plan(modality="image"),
    "plan with another detector": plan(detector={"tool": "self-cleaning"}),
    "a file changed": written("scorer/settings.json", "{}"),
    "a file more": written("scorer/more.json", "{}"),
    "a tebibyte more": vast,
    "an array file that is a pipe": piped("scorer/arrays.safetensors"),
    "an array file that is a link": linked("scorer/arrays.safetensors", "/dev/zero"),
    "a folder that is a link": linked("encoder", "/etc"),
    "a link in circles": linked("scorer/again", ".."),
    "array file of zero bytes": written("scorer/arrays.safetensors", b"", signed=True),
    "array file with a vast header": written("scorer/arrays.safetensors", HEADER, signed=True),
    "array file that promises terabytes": written(
        "scorer/arrays.safetensors", len(LIE).to_bytes(8, "little") + LIE, signed=True
    ),
    "a pickle as array file": written("scorer/arrays.safetensors", b"\x80\x04cos\nsystem\n.", signed=True),
    "arrays with other names": renamed_arrays,
    "arrays of one dimension less": arrays("scorer", lambda a: a[0] if a.ndim > 1 else a),
    "arrays with fewer columns": arrays("scorer", lambda a: a[:, :1] if a.ndim > 1 else a),
    "arrays without rows": arrays("scorer", lambda a: a[:0]),
    "arrays of not a number": arrays("scorer", lambda a: a * np.float32("nan") if a.dtype.kind == "f" else a),
    "indices far out": arrays("scorer", lambda a: a + (1 << 40) if a.dtype.kind == "i" else a[..., :0]),
    "calibration without scores": arrays("calibration", lambda a: a[:0]),
    "calibration of infinities": arrays("calibration", lambda a: a * np.inf),
    "calibration in two dimensions": arrays("calibration", lambda a: a.reshape(-1, 1)),
    "calibration of a rate of 7": settings("calibration", target_far=7),
    "calibration of a rate as text": settings("calibration", target_far="much"),
    "scorer with an unknown setting": settings("scorer", colour="red"),
    "scorer with text as a number": settings("scorer", neighbours="many"),
    "scorer with a negative number": settings("scorer", neighbours=-4),
    "scorer settings that are a list": written("scorer/settings.json", "[]", signed=True),
    "scorer settings nested deeply": written("scorer/settings.json", DEEP, signed=True),
    "encoder without parts": settings("encoder", parts=[]),
    "encoder with unknown parts": settings("encoder", parts=[{"kind": "code", "column": "x"}]),
    "encoder settings that are text": settings("encoder", parts="x"),
}
