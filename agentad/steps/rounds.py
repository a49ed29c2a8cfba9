"""What the pages of the rounds show: invented items, and the real ones that the detector is wrong about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentad.flow import Report, Round, SyntheticImage, SyntheticRow
from agentad.modalities.image import draw
from agentad.modalities.image.pixels import read_mask, read_pixels
from agentad.modalities.table.parquet_file import ParquetFile
from agentad.report.exhibits import Invented, Picture, RoundExhibits
from agentad.report.round import render_round
from agentad.steps.session import Session
from agentad.store.atomic import write_text

SHEET, ROWS, WORST = 24, 20, 24
"""Invented images, invented rows, and real items that a page shows at most."""
SIDE = 240
"""Longer side of a picture, in pixels."""


def round_pages(session: Session, made: Report, folder: Path) -> None:
    """`round-K.html` of every round, which the report links."""
    for one in made.rounds:
        write_text(folder / f"round-{one.number}.html", render_round(made, one.number, round_exhibits(session, one)))


def round_exhibits(session: Session, one: Round) -> RoundExhibits:
    """Of the round: some of what it invented, and the examples of its spots."""
    sets = _sets(session.run.path, one)
    invented, total = _invented(session, sets[0]) if sets else ((), 0)
    worst = list(dict.fromkeys(name for spot in one.spots for name in spot.examples))[:WORST]
    place = {str(name): i for i, name in enumerate(session.data.items.id)} if worst else {}
    index = [place[name] for name in worst if name in place]
    table = session.plan.modality == "table"
    return RoundExhibits(
        invented=invented,
        of=total,
        sets=len(sets),
        folded=bool(sets) and not sets[0].name.endswith("-all"),
        tiles={} if table else {str(session.data.items.id[i]): _tile(session, i) for i in index},
        rows=_rows(session, index) if table else {},
    )


def _sets(run: Path, one: Round) -> list[Path]:
    """Folders of what was invented for a round, the one to show first: what the detector learned from, if it did.

    Folders of another number of folds may be left from before the plan was changed; those made nothing for this round.
    """
    if one.generator is None or not one.made:
        return []
    found = sorted(run.glob(f"round-{one.number}-made-*"), key=lambda path: (not path.name.endswith("-all"), path.name))
    whole = [path for path in found if path.name.endswith("-all")]
    parts = [path for path in found if path not in whole]
    return [*whole, *parts] if one.decision.adopted or not parts else parts


def _invented(session: Session, folder: Path) -> tuple[tuple[Invented, ...], int]:
    """Some of the items in `folder`, and how many there are."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    if session.plan.modality == "table":
        return tuple(_invented_rows(session, folder, lines[:ROWS])), len(lines)
    chosen = [lines[i] for i in np.unique(np.linspace(0, len(lines) - 1, min(SHEET, len(lines))).astype(int))]
    return tuple(_invented_images(folder, chosen)), len(lines)


def _invented_images(folder: Path, lines: list[str]) -> Iterator[Invented]:
    for line in lines:
        origin = SyntheticImage.model_validate_json(line)
        image = read_pixels(folder / "images" / f"{origin.id}.png")
        mask = read_mask(folder / "masks" / f"{origin.id}.png", image.shape[1::-1])
        yield Invented(
            origin,
            (
                _picture(image, f"{origin.id}, invented"),
                _picture(image, f"{origin.id} with its mask outlined", mask),
            ),
        )


def _invented_rows(session: Session, folder: Path, lines: list[str]) -> Iterator[Invented]:
    encoder = session.fitted.encoder
    frame = next(iter(ParquetFile(folder / "rows.parquet").frames()))
    for row, line in enumerate(lines):
        cells = {name: encoder.actual(frame, row, name) for name in encoder.columns if name in frame.columns}
        yield Invented(SyntheticRow.model_validate_json(line), cells=cells)


def _tile(session: Session, i: int) -> Picture:
    image, mask, name = session.data.read(i), session.data.mask(i), str(session.data.items.id[i])
    if mask is None or not mask.any():
        return _picture(image, name)
    return _picture(image, f"{name} with its true mask outlined", mask)


def _rows(session: Session, index: list[int]) -> dict[str, dict[str, str]]:
    encoder = session.fitted.encoder
    frame = session.data.take(np.array(index, dtype=np.int64))
    names = [name for name in encoder.columns if name in frame.columns]
    ids = [str(session.data.items.id[i]) for i in index]
    return {own: {name: encoder.actual(frame, row, name) for name in names} for row, own in enumerate(ids)}


def _picture(image: draw.Pixels, alt: str, mask: NDArray[np.bool_] | None = None) -> Picture:
    small = draw.thumbnail(image, SIDE)
    if mask is not None:  # outlined when it is small, or the line would fade; so that not even a single pixel is lost
        marked = np.zeros(small.shape[:2], np.bool_)
        down, across = np.nonzero(mask)
        marked[down * len(small) // len(mask), across * small.shape[1] // mask.shape[1]] = True
        small = draw.outline(small, marked)
    return Picture(draw.jpeg_bytes(small), alt)
