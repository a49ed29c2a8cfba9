"""Watch a folder: when normals or labelled anomalies arrive, make a new detector, and publish it if it is better.

::

    PUBLISH/
        detector -> versions/NAME/detector     what `agentad detect PUBLISH/detector` uses
        versions/NAME/detector/                the published one and the one before it
        versions/NAME/learned/                 what it learned from: fingerprints of items, held-out scores
        watch.json                             what has been looked at; without it everything is looked at again

A round is a run of the recipe on the folder as it is. Its detector replaces the published one only if the gate adopts
it (`loop.gate`), by real items that neither has learned from; where these are too few, each detector's items are judged
by parts of it that did not learn from them. The link is moved in one step, after everything it leads to is whole: a
kill at any moment, a full disk or a failed round leave the published detector as it was.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from agentad import api
from agentad.detectors.base import Floats
from agentad.errors import AgentadError, InputError, NotWritable
from agentad.flow import Decision, Modality, Noun
from agentad.llm.closed import closed
from agentad.loop.gate import decide, least_groups, level_of, no_harm
from agentad.modalities.shown import shown
from agentad.steps import Session
from agentad.store.address import address, stat_fingerprint
from agentad.store.arrays import load_state, save_state
from agentad.store.atomic import (
    PREFIX,
    clear_parts,
    made_folder,
    not_writable,
    publish_folder,
    whole_folder,
    write_json,
)
from agentad.store.documents import read_json
from agentad.store.runs import find_run, runs_root
from agentad.tools.adapter import load
from agentad.tools.fitted import FittedDetector
from agentad.tools.road import Indices, Progress, look, road, silent
from agentad.tools.scored import load_scores

RECIPE = "data-scarcity"
LEVEL = 0.05
"""Chance that a published detector is ever replaced by one that is not better, however often that is tried."""
KEPT = 2
"""Versions kept: what reads the one before may go on."""
STATE, LINK, VERSIONS, LOCK = "watch.json", "detector", "versions", ".lock"

What = Literal["unchanged", "settling", "nothing new", "published", "adopted", "kept", "failed"]


class Look(Noun):
    """What one look at the folder came to."""

    state: What
    """`published`: the first detector; `adopted`: a better one; `kept`: the published one stays."""
    why: str
    run: str | None = None
    detector: str | None = None
    """Where the published detector is; None before there is one."""
    decision: Decision | None = None
    """The gate's."""


class Watched(Noun):
    """`watch.json`."""

    data: str
    """The folder."""
    seen: str | None = None
    """Fingerprint of the folder when it was last done with."""
    labelled: str | None = None
    """Address of the items that say something, then."""
    tries: int = 0
    """Candidates since the published detector was published."""


def watch(
    data: api.PathLike,
    *,
    publish: api.PathLike,
    recipe: api.PathLike = RECIPE,
    settings: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    every: float = 60.0,
    settle: float = 5.0,
    once: bool = False,
    tell: Callable[[Look], None] | None = None,
    progress: Progress = silent,
) -> Look:
    """Keep the detector in the folder `publish` as good as the data allows. Only `once` returns.

    Args:
        data: file or folder that grows.
        publish: a folder of its own; `publish/detector` is the detector in use.
        recipe: how detectors are made: a recipe's name, or the path of a plan.
        settings: replaces fields of the recipe, as for `run_plan`.
        exclude: tools that must not be used.
        every: seconds between looks.
        settle: seconds in which nothing may change before a round begins, so that no half-copied file is learned from.
        once: look once, as from cron; whatever goes wrong is raised. Otherwise it is told, and tried again once the
            data changes.
        tell: called with every look that came to something, unless `once`.
        progress: called with (what, done, total).

    Raises:
        InputError: `publish` is not a folder of ours, or another process publishes there.
        AgentadError: with `once`, what the round raised. What was published stays.
    """
    watcher = _Watcher(api._path(data), api._path(publish), str(recipe), settings or {}, tuple(exclude), progress)
    with watcher.held():
        while True:
            found = watcher.look(settle, raising=once)
            if once:
                return found
            if tell is not None and found.state not in ("unchanged", "settling"):
                tell(found)
            time.sleep(every)


@dataclass
class _Watcher:
    data: Path
    folder: Path
    recipe: str
    settings: Mapping[str, str]
    exclude: tuple[str, ...]
    progress: Progress
    _failed: tuple[str | None, str] = (None, "")
    """Fingerprint of the folder when a round failed, and what was told; the same is not told again."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others out, and sweep what a killed one left."""
        for inside in (self.folder, runs_root()):
            if self.data == inside or self.data in inside.parents:
                raise InputError(
                    f"{shown(inside)}: lies in the folder that is watched, so that every round would start another; "
                    "give another --publish, or set AGENTAD_RUNS"
                )
        made_folder(self.folder)
        own = any(path.name != LOCK and not path.name.startswith(PREFIX) for path in self.folder.iterdir())
        if own and not (self.folder / STATE).is_file():
            raise InputError(f"{shown(self.folder)}: not empty and nothing was published there; give another --publish")
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(f"{shown(self.folder)}: another process publishes there; stop it, or wait") from error
        except OSError as error:
            raise not_writable(self.folder, error) from error
        try:
            state = self._state()
            if state.data != str(self.data):
                raise InputError(
                    f"{shown(self.folder)}: publishes what is learned from {shown(state.data)}, not from "
                    f"{shown(self.data)}; give another folder with --publish"
                )
            clear_parts(self.folder)
            self._save(state)
            clear_parts(made_folder(self.folder / VERSIONS))
            yield
        finally:
            lock.release()

    def look(self, settle: float, *, raising: bool) -> Look:
        """One look; a round if there is something new."""
        try:
            return self._look(settle)
        except AgentadError as error:
            if raising:
                raise
            again = str(error) == self._failed[1]
            self._failed = self._failed[0], str(error)
            return self._said("unchanged" if again else "failed", str(error))

    def _look(self, settle: float) -> Look:
        state, now = self._state(), self._fingerprint()
        if now == self._failed[0]:
            return self._said("unchanged", f"the data has not changed since the last round failed: {self._failed[1]}")
        if now == state.seen and self._published() is not None:
            return self._said("unchanged", "the data has not changed since it was last looked at")
        time.sleep(settle)
        if self._fingerprint() != now:
            return self._said("settling", "the data is still changing; it is left alone until it does not")
        opened = look(self.data)
        said = _labelled(opened)
        if said is not None and said == state.labelled and self._published() is not None:
            self._save(state.model_copy(update={"seen": now}))
            return self._said("nothing new", "what has changed is neither normal nor a labelled anomaly")
        try:
            report = api.run_plan(
                self.recipe, data=self.data, settings=self.settings, exclude=self.exclude, progress=self.progress
            )
        except NotWritable:
            raise  # may be over soon, without any change in the data
        except AgentadError:
            self._failed = now, ""
            raise
        if self._fingerprint() != now:
            return self._said("settling", "the data changed while it was learned from; that is done again")
        found = self._decided(report.run, state)
        tries = 0 if found.state in ("published", "adopted") else state.tries + 1
        self._save(Watched(data=str(self.data), seen=now, labelled=said, tries=tries))
        self._failed = None, ""
        return found

    def _decided(self, run: str, state: Watched) -> Look:
        """Publish the detector of `run`, or leave the published one."""
        session = _session(run, self.progress)
        version = f"{run}-{address(session.run.key('adapt'))[:6]}"
        published = self._published()
        if published is not None and published.parent.name == version:
            return self._said("kept", "the detector in use was made from this data", run)
        learned = _learned(session)
        if published is None:
            self._publish(session, version, learned)
            why = "the first detector is published; there was none to compare it with"
            return self._said("published", why, run)
        decision = self._gate(session, learned, published, state.tries + 1)
        if not decision.adopted:
            return self._said("kept", decision.why, run, decision)
        self._publish(session, version, learned)
        return self._said("adopted", decision.why, run, decision)

    def _gate(self, session: Session, learned: dict[str, float], published: Path, number: int) -> Decision:
        """The candidate against the published detector, item by item."""
        arrays, facts = load_state(published.parent / "learned")
        before = dict(zip(facts["items"], arrays["scores"].tolist(), strict=True))
        old, new = load(published), session.fitted
        data, labels = session.data, session.data.items.label
        index: Indices = np.flatnonzero(labels >= 0)
        if not len(index):
            index = session.split.train  # without any label all items are taken to be normal
        keys = fingerprints(data, session.plan.modality, index)
        first = _fair(old, data, index, keys, before, self.progress)
        second = _fair(new, data, index, keys, learned, self.progress)
        fresh = np.array([key not in before and key not in learned for key in keys], bool)
        told = np.isfinite(first) & np.isfinite(second)
        y = np.maximum(labels[index], 0)
        group = data.items.group[index]
        level = level_of(LEVEL, rounds=None, number=number)
        enough = len(np.unique(group[fresh & told & (y == 1)])) >= least_groups(level)
        strict = fresh & told
        if (y[told] == 1).any():
            chosen = strict if enough and (y[strict] == 0).any() else told
            loop = session.plan.loop
            metric = "ap" if loop is not None and loop.metric == "ap" else "auroc"
            return decide(
                first[chosen],
                second[chosen],
                y[chosen],
                group[chosen],
                metric=metric,
                seed=session.plan.seed,
                level=LEVEL,
                rounds=None,
                number=number,
                kinds=[str(kind) for kind in data.items.kind[index[chosen]]],
                thresholds=(old.threshold.value, new.threshold.value) if chosen is strict else None,
            )
        if strict.any():
            thresholds = old.threshold.value, new.threshold.value
            return no_harm(first[strict], second[strict], group[strict], thresholds, level=LEVEL)
        # thresholds are drawn from some groups and compared on the others
        drawn = np.unique(group, return_inverse=True)[1] % 2 == 0
        if not ((told & drawn).any() and (told & ~drawn).any()):
            why = "There is no real item that both detectors can be judged by, so the published one stays."
            return Decision(adopted=False, metric="false_alarm_rate", why=why)
        far = 1 - session.plan.target_far
        thresholds = (float(np.quantile(first[told & drawn], far)), float(np.quantile(second[told & drawn], far)))
        rest = told & ~drawn
        return no_harm(first[rest], second[rest], group[rest], thresholds, level=LEVEL)

    def _publish(self, session: Session, version: str, learned: dict[str, float]) -> None:
        """Lay the version down whole, then move the link to it, then forget old versions."""
        target = self.folder / VERSIONS / version
        with whole_folder(target) as part:
            publish_folder(session.detector, part / LINK)
            save_state(part / "learned", {"scores": np.array(list(learned.values()))}, {"items": list(learned)})
        load(target / LINK)  # never point at what cannot be read
        before = self._published()
        link = self.folder / LINK
        part_link = self.folder / f"{PREFIX}{LINK}"
        try:
            part_link.unlink(missing_ok=True)
            part_link.symlink_to(Path(VERSIONS) / version / LINK)
            part_link.replace(link)
        except OSError as error:
            raise not_writable(self.folder, error) from error
        keep = {target, before.parent if before is not None else target}
        for path in (self.folder / VERSIONS).iterdir():
            if path not in keep:
                shutil.rmtree(path, ignore_errors=True)

    def _published(self) -> Path | None:
        link = self.folder / LINK
        return Path(self.folder / VERSIONS / link.resolve().parent.name / LINK) if link.is_dir() else None

    def _fingerprint(self) -> str:
        return address(stat_fingerprint(self.data), self.recipe, dict(self.settings), list(self.exclude))

    def _state(self) -> Watched:
        try:
            return closed(Watched, read_json(self.folder / STATE), str(self.folder / STATE))
        except (OSError, ValueError, InputError):
            return Watched(data=str(self.data))

    def _save(self, state: Watched) -> None:
        write_json(self.folder / STATE, state.model_dump(mode="json"))

    def _said(self, state: What, why: str, run: str | None = None, decision: Decision | None = None) -> Look:
        detector = str(self.folder / LINK) if self._published() is not None else None
        return Look(state=state, why=why, run=run, detector=detector, decision=decision)


def _session(run: str, progress: Progress) -> Session:
    folder = find_run(run)
    asked = folder.request()
    return Session(folder, asked.request, asked.plan, progress)


def _labelled(data: Any) -> str | None:
    """Address of the labelled items; None where nothing is labelled, or some content may have changed in place."""
    items = data.items
    said = np.flatnonzero(items.label >= 0)
    if not len(said) or len(said) == len(items):
        return None
    learnable = road(data.profile.modality).learnable(data)
    return address(
        list(items.id[said]),
        items.label[said].tolist(),
        [str(kind) for kind in items.kind[said]],
        learnable[said].tolist(),
        fingerprints(data, data.profile.modality, said),
    )


def _learned(session: Session) -> dict[str, float]:
    """What the detector in place learned from: fingerprint and held-out score, NaN where it has none."""
    index = np.union1d(session.split.train, session.split.known)
    scores = np.full(len(index), np.nan)
    folder = (
        session.folder("adapt") / "held_out"
        if session.adapted
        else session.folder("fit") / "held_out" / session.plan.detector.tool
    )
    known, held_out = load_scores(folder)
    scores[np.searchsorted(index, known)] = held_out.item
    keys = fingerprints(session.data, session.plan.modality, index)
    return dict(zip(keys, scores.tolist(), strict=True))


def fingerprints(data: Any, modality: Modality, index: Indices) -> list[str]:
    """Of each item's content, whatever it is called and wherever it stands: pixels, or cells without the label."""
    if modality == "image":
        return [_digest(str((image := data.read(int(i))).shape).encode() + image.tobytes()) for i in index]
    table = data.profile.table
    frame = data.take(index)
    label = table.label_column if table is not None else None
    kept = [name for name in frame.columns if name != label]
    return [_digest(repr(row).encode("utf-8", "surrogatepass")) for row in frame.select(kept).rows()]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _fair(
    fitted: FittedDetector,
    data: Any,
    index: Indices,
    keys: Sequence[str],
    learned: Mapping[str, float],
    progress: Progress,
) -> Floats:
    """Scores (n,) of the items at `index` by what has not learned from them; NaN where there is nothing such.

    Near-duplicates of what was learned from are not judged.
    """
    own = np.array([key in learned for key in keys], bool)
    scores: NDArray[np.float64] = np.array([learned.get(key, np.nan) for key in keys], np.float64)
    group = data.items.group[index]
    free = ~own & ~np.isin(group, group[own])
    for batch, found in fitted.scored(data, index[free], progress):
        scores[np.searchsorted(index, batch.index)] = found.item
    return scores
