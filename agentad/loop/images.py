"""The loop's workshop for images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Scores
from agentad.detectors.judged import Judged, Pictures, joined
from agentad.flow import Brief, Loop, Mix, SyntheticImage, Verdict
from agentad.generators.images.base import Defect, DrawnImage, Mask, Pixels
from agentad.llm.pictured import picture_chat
from agentad.llm.structured import Chat
from agentad.loop.feedback import Marks, marks
from agentad.loop.making import ATTEMPTS, changed, dealt, normals_for
from agentad.loop.workshop import Encode, Made, Places, Real, source_normals
from agentad.modalities.image import ImageData, png_bytes
from agentad.modalities.image.maps import shares
from agentad.modalities.image.pixels import read_mask, read_pixels
from agentad.store.atomic import write_text
from agentad.tools.fitted import FittedDetector, make
from agentad.tools.road import Indices, Progress, road
from agentad.verifiers.base import Candidates
from agentad.verifiers.panel import Panel, usual

MOST_NORMALS = 500
"""Normal images that heads are taught by."""
MOST_PIXELS = 200_000_000
"""Of the normal images that anomalies are invented from, held in memory."""
NO_PLACE = "no place"
"""What stands for a verifier where a generator found no place for an anomaly."""


def opened(
    loop: Loop,
    fitted: FittedDetector,
    data: ImageData,
    held_out: tuple[Indices, Scores],
    known: Indices,
    *,
    seed: int,
    progress: Progress,
    encode: Encode | None = None,
) -> ImageWorkshop:
    """See `workshop.workshop`."""
    fine = _fineness(loop)
    encode = encode or (lambda at: _encoded(fitted, data, at, progress))
    index, scores = held_out
    chosen = np.sort(np.random.default_rng(seed).permutation(len(index))[:MOST_NORMALS])
    index, scores = index[chosen], scores.take(chosen)
    group = data.items.group[index]
    normal = Judged(encode(index), scores, group=group, pictures=_pictures(fitted, data, index))
    masks = [data.mask(int(i)) for i in known]
    x = encode(known)
    grid = x.shape[1] * fine, x.shape[2] * fine
    where = shares([mask for mask in masks if mask is not None], grid)
    found = fitted.scorer.score(x) if len(x) else scores.take(np.arange(0))
    anomalies = Judged(x, found, where, data.items.group[known], _pictures(fitted, data, known))
    blank = np.zeros((len(index), *grid), np.float32)
    real = Real(
        replace(normal, where=blank),
        anomalies,
        index,
        known,
        data.items.kind[known],
        source_normals(group, seed=seed),
    )
    return ImageWorkshop(loop, fitted, data, real)


def _fineness(loop: Loop) -> int:
    """Parts along a patch's side in which the head wants to be told where an anomaly is."""
    return int(getattr(make(loop.head), "fine", 1))


def _encoded(fitted: FittedDetector, data: ImageData, index: Indices, progress: Progress) -> NDArray[Any]:
    found, done = [], 0
    for batch in road("image").batches(fitted.encoder, data, index):
        found.append(batch.x)
        done += len(batch.index)
        progress("encoding for the loop", done, len(index))
    return np.concatenate(found) if found else road("image").blank(fitted.encoder)[:0]


def _pictures(fitted: FittedDetector, data: ImageData, index: Indices) -> Pictures:
    return Pictures(fitted.encoder, tuple(partial(data.read, int(i)) for i in index))


def _given(image: Pixels) -> Pixels:
    return image


class ImageWorkshop:
    """See `Workshop`."""

    def __init__(self, loop: Loop, fitted: FittedDetector, data: ImageData, real: Real) -> None:
        self.real = real
        self._loop, self._fitted, self._data = loop, fitted, data
        self._fine = _fineness(loop)
        self._uses_images = bool(getattr(make(loop.head), "uses_images", False))
        self._panels: dict[tuple[int, ...], Panel] = {}
        if loop.generator is not None:
            self._generator = make(loop.generator)

    def invent(self, known: Places, mix: Mix, n: int, *, seed: int, progress: Progress) -> Made:
        """See `Workshop.invent`."""
        source, normals = self._source
        defects = [self._defects[i] for i in known.tolist()]
        self._generator.fit(
            normals, defects, seed=seed, progress=lambda done, total: progress("teaching the generator", done, total)
        )
        panel = self._panel(known)
        rng = np.random.default_rng(seed)
        portions = dealt(mix, n, rng)
        briefs = [portion.brief for portion in portions]
        base = normals_for(portions, self.real.normal.scores.item[source], rng)
        left, rejected = np.arange(n), Counter[str]()
        kept: list[tuple[Judged, list[DrawnImage], list[SyntheticImage]]] = []
        for attempt in range(ATTEMPTS):
            drawn = self._generator.sample([briefs[i] for i in left], base[left].tolist(), seed=seed + attempt)
            found = [(i, one) for i, one in zip(left.tolist(), drawn, strict=True) if one is not None]
            nowhere = sorted(set(left.tolist()) - {i for i, _ in found})
            rejected[NO_PLACE] += len(nowhere)
            base[nowhere] = rng.integers(len(normals), size=len(nowhere))
            if not found:
                continue
            candidates, judged = self._candidates([one for _, one in found])
            looked = panel.inspect(candidates)
            good = np.flatnonzero(looked.accepted)
            told = [
                self._origin(*found[at], known, briefs[found[at][0]], attempt + 1, looked.verdicts[at], seed)
                for at in good.tolist()
            ]
            kept.append((judged.take(good), [found[at][1] for at in good.tolist()], told))
            for at in np.flatnonzero(~looked.accepted).tolist():
                i, verifier = found[at][0], looked.rejected_by[at] or ""
                rejected[verifier] += 1
                briefs[i] = changed(briefs[i], verifier)
            left = np.setdiff1d(left, [found[at][0] for at in good.tolist()])
            progress("inventing", n - len(left), n)
            if not len(left):
                break
        return Made(
            joined([judged for judged, _, _ in kept] or [self.judged([], [])]),
            tuple(origin for _, _, told in kept for origin in told),
            [(one.image, one.mask) for _, drawn, _ in kept for one in drawn],
            {name: count for name, count in rejected.items() if count},
            len(left),
            panel.reliabilities,
        )

    def _origin(
        self,
        i: int,
        drawn: DrawnImage,
        known: Places,
        brief: Brief,
        attempts: int,
        verdicts: tuple[Verdict, ...],
        seed: int,
    ) -> SyntheticImage:
        assert self._loop.generator is not None  # noqa: S101  only a generator draws
        ids, real = self._data.items.id, self.real
        made_from = None if drawn.anomaly < 0 else str(ids[real.known_index[known[drawn.anomaly]]])
        return SyntheticImage(
            id=f"{i:05}",
            kind=drawn.kind,
            anomaly=made_from,
            normal=str(ids[real.normal_index[self._source[0][drawn.normal]]]),
            brief=brief,
            attempts=attempts,
            tool=self._loop.generator.tool,
            seed=seed,
            verdicts=verdicts,
        )

    @cached_property
    def marked(self) -> Marks:
        """See `Workshop.marked`."""
        return marks([defect.image for defect in self._defects], [defect.mask for defect in self._defects])

    def _panel(self, known: Places) -> Panel:
        """Verifiers that have seen the source normals and the `known` anomalies."""
        if not self._loop.verify:
            return Panel()
        key = tuple(known.tolist())
        if key not in self._panels:
            index, images = self._source
            defects = [self._defects[i] for i in key]
            normal = Candidates(self._coarse(self.real.normal.take(index)), np.full(len(index), "", object), images)
            real = Candidates(
                self._coarse(self.real.known.take(known)),
                self.real.kinds[known],
                [defect.image for defect in defects],
                [defect.mask for defect in defects],
            )
            self._panels[key] = Panel.fit(usual(self._judge()), normal, real, self._unmasked)
        return self._panels[key]

    def _judge(self) -> Chat | None:
        """A new one for each panel: one that fails too often is not asked again."""
        return None if self._loop.judge is None else picture_chat(self._loop.judge)

    def _unmasked(self, images: Sequence[Pixels]) -> Judged:
        return self._coarse(self.judged(images, [np.zeros(image.shape[:2], np.bool_) for image in images]))

    def _coarse(self, items: Judged) -> Judged:
        """Items as verifiers see them, who compare masks with scores patch by patch."""
        if items.where is None or self._fine == 1:
            return items
        n, rows, columns = items.where.shape
        parts = items.where.reshape(n, rows // self._fine, self._fine, columns // self._fine, self._fine)
        return replace(items, where=parts.mean(axis=(2, 4)))

    @cached_property
    def _source(self) -> tuple[Indices, list[Pixels]]:
        """Positions among the normals, and images, of those that anomalies are invented from."""
        index = np.flatnonzero(self.real.source)
        area = np.cumsum([np.prod(self._data.size(int(self.real.normal_index[i]))) for i in index])
        index = index[: max(1, int(np.searchsorted(area, MOST_PIXELS, side="right")))]
        return index, [self._data.read(int(self.real.normal_index[i])) for i in index]

    @cached_property
    def _defects(self) -> list[Defect]:
        found = []
        for i, kind in zip(self.real.known_index.tolist(), self.real.kinds.tolist(), strict=True):
            mask = self._data.mask(i)
            assert mask is not None  # noqa: S101  images without one are not learned from
            found.append(Defect(self._data.read(i), mask, kind))
        return found

    def _candidates(self, drawn: Sequence[DrawnImage]) -> tuple[Candidates, Judged]:
        """What was drawn as verifiers see it, and as heads do."""
        images, masks = [one.image for one in drawn], [one.mask for one in drawn]
        judged = self.judged(images, masks)
        seen = Candidates(
            self._coarse(judged),
            np.array([one.kind for one in drawn], object),
            images,
            masks,
            [self._source[1][one.normal] for one in drawn],
        )
        return seen, judged

    def save(self, made: Made, folder: Path) -> None:
        """`images/ID.png`, `masks/ID.png`, and `manifest.jsonl`."""
        for name in ("images", "masks"):
            (folder / name).mkdir(parents=True)
        for origin, (image, mask) in zip(made.origins, made.what, strict=True):
            (folder / "images" / f"{origin.id}.png").write_bytes(png_bytes(image))
            (folder / "masks" / f"{origin.id}.png").write_bytes(png_bytes(255 * mask.astype(np.uint8)))
        write_text(folder / "manifest.jsonl", "".join(f"{origin.model_dump_json()}\n" for origin in made.origins))

    def load(self, folder: Path) -> Judged:
        """See `Workshop.load`."""
        lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
        ids = [json.loads(line)["id"] for line in lines]
        images = [read_pixels(folder / "images" / f"{name}.png") for name in ids]
        masks = [
            read_mask(folder / "masks" / f"{name}.png", image.shape[1::-1])
            for name, image in zip(ids, images, strict=True)
        ]
        return self.judged(images, masks)

    def judged(self, images: Sequence[Pixels], masks: Sequence[Mask]) -> Judged:
        """Any images with masks as heads see them."""
        encoder = self._fitted.encoder
        parts = [encoder.encode(images[i : i + 8]) for i in range(0, len(images), 8)]
        x = np.concatenate(parts) if parts else self.real.normal.x[:0]
        where = shares(masks, (x.shape[1] * self._fine, x.shape[2] * self._fine))
        scores = self._fitted.scorer.score(x) if len(x) else self.real.normal.scores.take(np.arange(0))
        pictures = None
        if self._uses_images:  # they stay in memory with what is learned from them
            pictures = Pictures(encoder, tuple(partial(_given, image) for image in images))
        return Judged(x, scores, where, pictures=pictures)
