"""Making an export: write the graph, load it as its users will, compare, and only then let it appear."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentad.backbones import checkpoint
from agentad.errors import InputError, MissingExtra
from agentad.exported import graph, parity
from agentad.exported import load as loaded
from agentad.exported.load import MANIFEST, MODEL
from agentad.modalities.shown import shown
from agentad.store.atomic import whole_folder
from agentad.store.documents import read_json
from agentad.store.version import library_versions
from agentad.tools.fitted import FittedDetector, save_calibration, write_manifest
from agentad.tools.road import Progress, silent

NEEDED = ("onnx", "onnxscript", "onnxruntime")
_OUTPUTS: dict[str, dict[str, Any]] = {
    "score": {"type": "float32", "shape": [1], "meaning": "higher = more anomalous; no unit"},
    "p_value": {"type": "float32", "shape": [1], "meaning": "chance that a normal image scores at least as high"},
    "flag": {"type": "bool", "shape": [1], "meaning": "whether the score is above the threshold"},
    "map": {"type": "float32", "shape": ["height", "width"], "meaning": "scores of pixels, at the image's own size"},
    "patch_map": {"type": "float32", "meaning": "scores of patches, row 0 at the top; `map` is this, smoothed"},
    "doubt": {"type": "float32", "meaning": "how far the detector's parts disagree about a patch, 0 to 1"},
    "neighbour": {
        "type": "int64",
        "meaning": "of each patch's nearest normal: the place of its image among the training images "
        "(`train_ids` in calibration/settings.json), and its place in that image's grid, row by row",
    },
}
_INPUT = {
    "name": "image",
    "type": "uint8",
    "shape": [1, "height", "width", 3],
    "meaning": "one RGB image of any size, 0 to 255, turned upright (EXIF), transparency laid on white; nothing else "
    "to prepare",
}


def refuse(fitted: FittedDetector, source: Path) -> None:
    """Raise if the detector from the folder `source` cannot be exported.

    Raises:
        InputError: there is no graph for it; says why.
        MissingExtra: packages that make exports are not installed.
    """
    reason = graph.why_not(fitted)
    if reason:
        raise InputError(f"{shown(source)}: {reason}")
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise MissingExtra(
            f"exporting needs {', '.join(absent)}; install what is missing with `pip install 'agentad[export]'`"
        )


def export(
    fitted: FittedDetector, source: Path, target: Path, data: Any, progress: Progress = silent
) -> dict[str, Any]:
    """Write the detector from the folder `source` as an ONNX export to `target`; returns the manifest.

    Args:
        fitted: what was loaded from `source`.
        source: the detector's folder.
        target: where; absent, empty, or an earlier export, which is replaced.
        data: opened images to compare on.
        progress: called with (what, done, total).

    Raises:
        InputError: there is something else in `target`, or no image in `data`.
        AgentadError: the export scores differently; nothing is written.
    """
    if target.exists() and not _may_replace(target):
        raise InputError(f"{shown(target)}: not empty and not an earlier export; give another folder")
    with whole_folder(target) as folder:
        progress("writing the graph", 0, 1)
        exact = graph.in_float32(fitted)
        names = graph.write(graph.whole(exact), folder / MODEL)
        progress("writing the graph", 1, 1)
        save_calibration(fitted, folder)
        about = {
            "input": _INPUT,
            "outputs": [{"name": name, **_OUTPUTS.get(name, {})} for name in names],
            "opset": graph.OPSET,
            "grid": list(fitted.encoder.grid),
            "local_level": fitted.local_level,
            "libraries": library_versions() | {name: version(name) for name in NEEDED},
            "weights": _weights(source),
        }
        write_manifest(fitted, folder, MANIFEST, **about)
        found = parity.compare(loaded.load(folder), fitted, exact, data, progress)
        write_manifest(fitted, folder, MANIFEST, parity=found, **about)
        return dict(read_json(folder / MANIFEST))


def _may_replace(folder: Path) -> bool:
    return folder.is_dir() and (loaded.is_export(folder) or not any(folder.iterdir()))


def _weights(source: Path) -> list[dict[str, Any]]:
    """Where the pretrained weights inside the graph come from and under what licence, as noted beside them."""
    return [checkpoint.source(path.parent) for path in sorted((source / "encoder").rglob(checkpoint.SOURCE))]
