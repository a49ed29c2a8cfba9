"""The Python twins of the commands. Every door goes through here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agentad.errors import AgentadError, InputError
from agentad.exported.load import MANIFEST as EXPORT_MANIFEST
from agentad.exported.load import is_export
from agentad.exported.load import load as load_export
from agentad.flow import Asked, DataProfile, Generation, Plan, Report, Request, ScoredItem, Skipped, Stress, Threshold
from agentad.graph import follow
from agentad.modalities.shown import shown
from agentad.planning import make_plan, planner_inputs
from agentad.planning.recipes import load_recipe
from agentad.steps import Session
from agentad.steps.adapt import in_place
from agentad.steps.generate import MARK, generated
from agentad.steps.page import show
from agentad.steps.prepare import fetch_weights
from agentad.steps.score import read_lines, score_all
from agentad.steps.stress import stressed
from agentad.store.address import stat_fingerprint
from agentad.store.atomic import whole_folder
from agentad.store.documents import read_json
from agentad.store.runs import RunFolder, find_run, run_id, runs_root
from agentad.tools import fitted as tool
from agentad.tools.adapter import load as load_adapted
from agentad.tools.cards import load_cards
from agentad.tools.categories import remarks
from agentad.tools.road import Progress, look, road, road_at, silent

PathLike = str | Path
LONGEST_REQUEST = 20_000
"""Characters."""


def profile(data: PathLike, *, progress: Progress = silent) -> DataProfile:
    """What is in `data`, found by looking at it.

    Raises:
        UnreadableData: nothing there that agentad can read.
    """
    progress("looking at the data", 0, 1)
    found: DataProfile = look(_path(data)).profile
    progress("looking at the data", 1, 1)
    return found


def plan(
    text: str,
    *,
    data: PathLike,
    planner: str = "auto",
    exclude: Sequence[str] = (),
    target_far: float | None = None,
    seed: int = 0,
    record: Path | None = None,
    progress: Progress = silent,
) -> Plan:
    """What would be done about the request `text`; nothing is run.

    Args:
        text: the request in plain words.
        data: file or folder.
        planner: `auto`, `rules`, `replay:FILE`, a LangChain chat model id, or the URL of an OpenAI-compatible server.
        exclude: names of tools that must not be used.
        target_far: wanted false-alarm rate; None takes it from the words, else 1 %.
        seed: of every random choice.
        record: where exchanges with a language model are written.
        progress: called with (what, done, total).

    Raises:
        InputError: bad data or options.
        Infeasible: cannot be done with this data and these exclusions.
    """
    request = _request(text, data, planner, exclude, target_far, seed)
    found = profile(data, progress=progress)
    available = fetch_weights(found.modality, progress)
    return make_plan(request, found, load_cards(), available=available, record=record)


def run(
    text: str,
    *,
    data: PathLike,
    planner: str = "auto",
    exclude: Sequence[str] = (),
    target_far: float | None = None,
    seed: int = 0,
    fresh: bool = False,
    progress: Progress = silent,
) -> Report:
    """Plan the request `text` and do it. The same call again returns at once.

    Args:
        text: the request in plain words.
        data: file or folder.
        planner: as for `plan`.
        exclude: names of tools that must not be used.
        target_far: wanted false-alarm rate; None takes it from the words, else 1 %.
        seed: of every random choice.
        progress: called with (what, done, total).
        fresh: forget an earlier run of the same thing and start over.
    """
    return _start(_request(text, data, planner, exclude, target_far, seed), None, fresh, progress)


def run_plan(
    plan: Plan | PathLike,
    *,
    data: PathLike,
    settings: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    fresh: bool = False,
    progress: Progress = silent,
) -> Report:
    """Follow a plan, a plan file, or a recipe by name on `data`. No language model takes part.

    Args:
        plan: a `Plan`, the path of its YAML, or the name of a recipe (`agentad recipe list`).
        data: file or folder.
        settings: replaces fields, by dotted name: `{"detector.params.sigma": "1.0"}`.
        exclude: names of tools that must not be used.
        fresh: forget an earlier run of the same thing and start over.
        progress: called with (what, done, total).
    """
    if not isinstance(plan, Plan):
        found = profile(data, progress=progress)
        available = fetch_weights(found.modality, progress)
        request = Request(text="", data=str(_path(data)), planner="rules", exclude=tuple(exclude))
        plan = load_recipe(str(plan), request, found, load_cards(), available=available, settings=settings or {})
    request = Request(
        text=plan.request,
        data=str(_path(data)),
        planner="rules",
        exclude=tuple(exclude),
        target_far=plan.target_far,
        seed=plan.seed,
    )
    return _start(request, plan, fresh, progress)


def resume(name: str, *, progress: Progress = silent) -> Report:
    """Finish a run that was interrupted; a finished one is returned at once.

    Raises:
        InputError: no such run, or its data is gone.
    """
    folder = find_run(name)
    asked = folder.request()
    return _follow(Session(folder, asked.request, asked.plan, progress))


def report(name: str) -> Report:
    """The report of a finished run.

    Raises:
        InputError: no such run, or it is not finished.
    """
    folder = find_run(name)
    try:
        return Report.model_validate(read_json(folder.path / "report.json"))
    except ValueError as error:
        raise InputError(
            f"{folder.path / 'report.json'}: damaged; `agentad runs resume {folder.name}` writes it again"
        ) from error
    except FileNotFoundError as error:
        raise InputError(
            f"run {folder.name} is not finished; `agentad runs resume {folder.name}` finishes it"
        ) from error


@dataclass(frozen=True)
class LoadedDetector:
    """A finished detector, ready to score new data."""

    fitted: tool.FittedDetector = field(repr=False)
    path: Path
    manifest: str = tool.MANIFEST

    @property
    def plan(self) -> Plan:
        """How it was made."""
        return self.fitted.plan

    @property
    def threshold(self) -> Threshold:
        """Items that score above it are flagged."""
        return self.fitted.threshold

    def score(self, data: PathLike, *, progress: Progress = silent) -> list[ScoredItem]:
        """Score every item at `data`. Higher = more anomalous.

        Raises:
            UnreadableData: `data` cannot be read, or is of another modality than the detector.
        """
        with tempfile.TemporaryDirectory() as folder:
            score_all(self.fitted, self._look(data), Path(folder), progress)
            return [item.model_copy(update={"map": None}) for item in read_lines(Path(folder) / "scores.jsonl")]

    def _look(self, data: PathLike) -> Any:
        path = _path(data)
        mine = self.plan.modality
        if not road(mine).recognise(path):
            raise InputError(f"{shown(path)}: this detector scores {mine} data, and that is not what is there")
        return road(mine).look(path)


def load(path: PathLike) -> LoadedDetector:
    """The detector or export in the folder `path`, or of the run called or at `path`.

    Raises:
        DetectorRefused: damaged, or made by a version this one does not understand.
    """
    folder = Path(path)
    if os.path.islink(folder) and os.path.isdir(folder):  # noqa: PTH112, PTH114  `watch` may point it elsewhere meanwhile
        folder = folder.resolve()
    if is_export(folder):
        return LoadedDetector(load_export(folder), folder, EXPORT_MANIFEST)
    if not os.path.lexists(folder / tool.MANIFEST):
        folder = in_place(find_run(str(path)))
    return LoadedDetector(load_adapted(folder), folder)


def export(
    detector: PathLike, folder: PathLike, *, to: str = "onnx", data: PathLike | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Write an image detector as one ONNX graph, from pixels to flag and map, checked against the detector itself.

    Args:
        detector: a detector folder, a run folder, or the name of a run.
        folder: where; replaced if it holds an earlier export.
        to: `onnx`.
        data: real images to compare on; by default those the run was made from.
        progress: called with (what, done, total).

    Returns:
        The export's manifest, `export.json`.

    Raises:
        InputError: this detector cannot be exported, or there are no images to compare on.
        AgentadError: the export scores differently from the detector; nothing is written.
    """
    if to != "onnx":
        raise InputError(f"cannot export to {shown(to)}: give onnx")
    loaded = load(detector)
    if is_export(loaded.path):
        raise InputError(f"{shown(loaded.path)}: this is an export already; give the detector it was made from")
    from agentad.exported.export import export, refuse

    refuse(loaded.fitted, loaded.path)
    opened = loaded._look(_images_of(detector) if data is None else data)
    return export(loaded.fitted, loaded.path, _path(folder), opened, progress)


def _images_of(detector: PathLike) -> str:
    """The data that a run was made from."""
    wanted = "give real images to compare the export on with --data"
    try:
        data = find_run(str(detector)).request().request.data
    except InputError as error:
        raise InputError(f"{shown(detector)}: not a run, so its images are not known; {wanted}") from error
    if not Path(data).exists():
        raise InputError(f"{shown(data)}: the run's images are not there any more; {wanted}")
    return data


@dataclass(frozen=True)
class Detection:
    """What `detect` wrote."""

    detector: str
    dir: str
    scores: str
    items: int
    flagged: int
    threshold: Threshold
    skipped: tuple[Skipped, ...]
    """The first of what was left out, and why."""
    n_skipped: int
    """How much was left out."""
    notes: tuple[str, ...] = ()
    """What else has to be known of the scores."""


def detect(
    detector: PathLike, *, data: PathLike, out: PathLike | None = None, progress: Progress = silent
) -> Detection:
    """Score new data with a finished detector; `scores.jsonl`, and maps for images, are written to `out`.

    Args:
        detector: a detector folder, an export, a run folder, or the name of a run.
        data: file or folder.
        out: folder to write, replaced if it holds an earlier detection; by default one beside the runs.
        progress: called with (what, done, total).
    """
    loaded = load(detector)
    opened = loaded._look(data)
    target = _path(out) if out else runs_root() / "detections" / _detection_name(loaded, _path(data))
    if target.exists() and not _replaceable(target, "scores.jsonl"):
        raise InputError(f"{shown(target)}: not empty and not an earlier detection; give another folder with --out")
    with whole_folder(target) as folder:
        result = score_all(loaded.fitted, opened, folder, progress)
    flagged = int(loaded.fitted.calibration.flags(result.item).sum())
    return Detection(
        detector=str(loaded.path.absolute()),
        dir=str(target),
        scores=str(target / "scores.jsonl"),
        items=len(result.index),
        flagged=flagged,
        threshold=loaded.threshold,
        skipped=opened.profile.skipped,
        n_skipped=opened.profile.n_skipped,
        notes=remarks(loaded.fitted.categories, opened),
    )


def generate(
    run: PathLike,
    *,
    count: int,
    out: PathLike,
    conditions: Sequence[str] = (),
    layout: Literal["plain", "mvtec"] = "plain",
    generator: str | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Generation:
    """Invent anomalies from the data of a finished run; images with masks, or rows, and `manifest.jsonl`.

    They are made from the anomalies that the run's rounds learned from or, without rounds, all labelled ones that can
    be learned from, and looked at by the verifiers. The same call writes the same bytes.

    Args:
        run: a run folder, or the name of a run.
        count: how many.
        out: folder to write, replaced if it holds an earlier batch.
        conditions: what every one has to be: for images such as `shape=scratch`, `size=0.01..0.05` or `place=edge`
            (`generators.images.conditions`), for rows such as `amount above 1000` (`generators.conditions`).
        layout: of images: `plain`, or `mvtec` (`test/TYPE`, `ground_truth/TYPE`).
        generator: name of its tool; by default the plan's, or the one that the rules choose.
        seed: of every random choice.
        progress: called with (what, done, total).

    Raises:
        InputError: no such run, it is not finished, its data has changed, or conditions that do not fit the data.
        Infeasible: nothing could be found, or nothing can be invented here.
    """
    if count < 1 or seed < 0:
        raise InputError(f"count {count}, seed {seed}: give a count of at least 1 and a seed of at least 0")
    target = _path(out)
    if target.exists() and not _replaceable(target, MARK):
        raise InputError(f"{shown(target)}: not empty and not an earlier batch; give another folder with --out")
    session = _finished(run, progress)
    with whole_folder(target) as folder:
        found = generated(
            session, folder, count=count, conditions=conditions, layout=layout, generator=generator, seed=seed
        )
    return found.model_copy(update={"dir": str(target)})


def stress(
    run: PathLike, *, count: int = 10, generator: str | None = None, seed: int = 0, progress: Progress = silent
) -> Stress:
    """Try the detector of a finished run on images with invented anomalies, by size, place and strength.

    Args:
        run: a run folder, or the name of a run.
        count: anomalies of each size, place and strength.
        generator: name of its tool; by default the plan's, or the one that the rules choose.
        seed: of every random choice.
        progress: called with (what, done, total).

    Raises:
        InputError: no such run, it is not finished, or its data has changed.
        Infeasible: it is not of images, or nothing can be invented here.
    """
    if count < 1 or seed < 0:
        raise InputError(f"count {count}, seed {seed}: give a count of at least 1 and a seed of at least 0")
    return stressed(_finished(run, progress), count=count, generator=generator, seed=seed)


def _finished(run: PathLike, progress: Progress) -> Session:
    """A run that is done."""
    report(str(run))
    folder = find_run(str(run))
    asked = folder.request()
    return Session(folder, asked.request, asked.plan, progress)


def _replaceable(folder: Path, mark: str) -> bool:
    """Whether `folder` is empty or holds the file `mark`, and may be replaced."""
    return folder.is_dir() and ((folder / mark).is_file() or not any(folder.iterdir()))


def _detection_name(loaded: LoadedDetector, data: Path) -> str:
    manifest = (loaded.path / loaded.manifest).read_text(encoding="utf-8")
    return run_id(data, manifest, stat_fingerprint(data))


def _path(data: PathLike) -> Path:
    try:
        path = Path(data).expanduser().absolute()
        os.fspath(path).encode()
    except RuntimeError as error:
        raise InputError(f"{shown(data)}: {error}; give the path in full") from error
    except UnicodeEncodeError as error:  # reports and detectors are text, and name it
        raise InputError(f"{shown(data)}: the name is not valid UTF-8; rename it") from error
    return path


def _request(
    text: str, data: PathLike, planner: str, exclude: Sequence[str], target_far: float | None, seed: int
) -> Request:
    if len(text) > LONGEST_REQUEST or text.encode("utf-8", "replace").decode() != text:
        raise InputError(f"the request has to be text of at most {LONGEST_REQUEST:,} characters, got {shown(text, 40)}")
    if not text.strip():
        raise InputError('the request is empty; say what you need, for example "find the bad parts"')
    if target_far is not None and not 0 < target_far < 1:
        raise InputError(f"the false-alarm rate {target_far} is not between 0 and 1; 0.01 means 1 %")
    if seed < 0:
        raise InputError(f"the seed {seed} is negative; give 0 or more")
    unknown = sorted(set(exclude) - set(load_cards()))
    if unknown:
        raise InputError(
            f"cannot exclude {', '.join(unknown)}: no such tool; `agentad tools list` shows the tools there are"
        )
    return Request(
        text=text,
        data=str(_path(data)),
        planner=planner,
        exclude=tuple(sorted(exclude)),
        target_far=target_far,
        seed=seed,
    )


def _start(request: Request, given: Plan | None, fresh: bool, progress: Progress) -> Report:
    data = Path(request.data)
    weights = fetch_weights(road_at(data).MODALITY, progress)
    asked = Asked(
        request=request, plan=given, data=stat_fingerprint(data), weights=weights, planner=planner_inputs(request)
    )
    folder = RunFolder(runs_root() / run_id(data, asked.model_dump(mode="json")))
    if fresh and folder.path.exists():
        with folder.held():
            folder.clear()
    session = Session(folder, request, given, progress)
    begun = folder.path.exists()
    with folder.held():
        folder.write_request(asked)
    try:
        return _follow(session)
    except AgentadError:
        if not begun and not (folder.path / "plan").exists():
            _forget(folder)
        raise


def _forget(folder: RunFolder) -> None:
    """Leave nothing of a run that came to no plan, unless another process goes on with it."""
    with suppress(InputError), folder.held():
        folder.remove()


def _follow(session: Session) -> Report:
    if stat_fingerprint(Path(session.request.data)) != session.run.request().data:
        raise InputError(
            f"{shown(session.request.data)} has changed since run {session.run.name} was started; start a new run on it"
        )
    with session.run.held():
        follow(session)
        show(session)
    return report(str(session.run.path))
