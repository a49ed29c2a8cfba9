"""What code is running: part of every content address, so that changed code never serves old results."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import agentad

_NUMERIC = ("torch", "transformers", "diffusers", "accelerate", "faiss-cpu", "numpy", "scipy", "scikit-learn", "polars")


@cache
def code_version() -> str:
    """SHA-256 (12 hex digits) over the package's sources and the versions of what computes its numbers."""
    digest = hashlib.sha256()
    root = Path(agentad.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    digest.update(repr(sorted(library_versions().items())).encode())
    return digest.hexdigest()[:12]


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = []
    for name in _NUMERIC:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "absent"))
    return tuple(found)


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries results depend on, read without importing them."""
    return {"agentad": agentad.__version__, **dict(_versions())}
