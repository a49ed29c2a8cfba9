"""What `agentad doctor` looks at."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from agentad.backbones.catalog import names
from agentad.backbones.fetch import installed
from agentad.store.runs import runs_root
from agentad.store.version import library_versions

EXTRAS = {
    "openai": ("langchain_openai", "planning with OpenAI models or any OpenAI-compatible server"),
    "anthropic": ("langchain_anthropic", "planning with Anthropic models"),
    "ollama": ("langchain_ollama", "planning with a local Ollama server"),
    "export": ("onnxscript", "exporting image detectors to ONNX"),
}


def checks() -> list[dict[str, Any]]:
    """One entry per thing looked at: `what`, `ok`, `found`, and the command that gets it (or None)."""
    return [_python(), *_packages(), _compute(), *_weights(), *_extras(), _room()]


def _check(what: str, ok: bool, found: str, get: str | None = None) -> dict[str, Any]:
    return {"what": what, "ok": ok, "found": found, "get": get}


def _python() -> dict[str, Any]:
    return _check("python", sys.version_info >= (3, 11), platform.python_version())


def _packages() -> list[dict[str, Any]]:
    get = "pip install -c constraints.txt ."
    return [_check(name, found != "absent", found, get) for name, found in library_versions().items()]


def _compute() -> dict[str, Any]:
    import torch

    if torch.cuda.is_available():
        return _check("compute", True, f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}")
    return _check("compute", True, f"{os.cpu_count()} CPU cores, no GPU: every tool runs, training takes longer")


def _weights() -> list[dict[str, Any]]:
    return [
        _check(
            f"weights {name}",
            (path := installed(name)) is not None,
            str(path or "not here"),
            f"agentad models pull {name}",
        )
        for name in names()
    ]


def _extras() -> list[dict[str, Any]]:
    return [
        _check(
            f"extra {name}",
            find_spec(module) is not None,
            _version(module) or f"not here: {use}",
            f"pip install 'agentad[{name}]'",
        )
        for name, (module, use) in EXTRAS.items()
    ]


def _version(module: str) -> str | None:
    try:
        return version(module.replace("_", "-"))
    except PackageNotFoundError:
        return None


def _room() -> dict[str, Any]:
    root = runs_root()
    nearest = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free / 2**30
    return _check("disk", free > 1 and os.access(nearest, os.W_OK), f"runs go to {root}; {free:.1f} GiB free")
