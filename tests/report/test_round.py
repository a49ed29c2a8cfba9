"""The page of a round as a browser would read it."""

from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_page import EVIL, Page

from agentad import flow
from agentad.report import Invented, Picture, RoundExhibits, render, render_round

Rounds = tuple[flow.Round, ...]
Run = tuple[flow.Report, list[flow.ScoredItem], Any]


def picture(alt: str, side: int = 200) -> Picture:
    stream = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)).save(stream, "JPEG")
    return Picture(stream.getvalue(), alt)


def invented(name: str, **changes: Any) -> Invented:
    verdicts = (
        flow.Verdict(verifier="visibility", passed=True, value=1.864),
        flow.Verdict(verifier="type", passed=None, why="unsure"),
    )
    fields = {"kind": "scratch", "anomaly": "test/scratch/000.png", "attempts": 2, "verdicts": verdicts} | changes
    origin = flow.SyntheticImage(
        id=name, normal="train/good/007.png", brief=flow.Brief(), tool="residual-paste", seed=3, **fields
    )
    return Invented(origin, (picture(f"{name}, invented"), picture(f"{name} with its mask outlined")))


def shown(rounds: Rounds) -> RoundExhibits:
    names = ("test/scratch/001.png", "test/good/003.png")
    return RoundExhibits(
        invented=tuple(invented(f"{i:05}") for i in range(24)),
        of=38,
        sets=3,
        folded=True,
        tiles={name: picture(name) for name in names},
    )


@pytest.fixture
def page(images: Run, rounds: Rounds) -> Page:
    return Page(render_round(images[0].model_copy(update={"rounds": rounds}), 2, shown(rounds)))


def test_the_page_is_whole_and_says_everything(page: Page) -> None:
    assert page.open == []
    for fact in (
        "Round 2: not adopted",
        "40 invented with residual-paste",
        "0.912 → 0.910",
        "difference −0.020 to +0.010 (95 %)",
        "p0.71",
        "20 real anomalies and 150 normal images that neither",
        "9 rejected, 2 dropped",
        "12.3 s",
        "By confusion: 3 of 20 real anomalies are missed.",
        "75 %scratchcovering 0.5 % to 3 % of the image, at the edge",
        "12.5 % of 8",
        "Also not kept: no place 3.",
        "Left out: placement (no better than chance); type (it says nothing).",
        "3 sets were made: one without each part of the real anomalies",
        "38 invented images, 24 of them",
        "made 2 times",
        "visibility passes 1.864, type abstains",
        "3 of 12 missed",
        "1 of 150 flagged",
        "Of 20 real anomalies 3 are missed, of 150 normal images 1 is falsely flagged.",
    ):
        assert fact in page.text, fact


def test_it_leads_back_and_fetches_nothing(page: Page) -> None:
    links = {a["href"] for a in page.having("a")}
    assert {"report.html#rounds", "round-1.html"} <= links
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert max(ids.values()) == 1
    assert {link[1:] for link in links if link and link.startswith("#")} <= set(ids)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "base", "form"})
    assert all(str(img["src"]).startswith("data:image/jpeg;base64,") and img["alt"] for img in page.having("img"))
    assert len(page.having("img")) == 24 * 2 + 2
    assert "default-src 'none'" in str(page.having("meta")[1])


def test_it_stays_small(images: Run, rounds: Rounds) -> None:
    html = render_round(images[0].model_copy(update={"rounds": rounds}), 2, shown(rounds))
    assert len(html) < 2_000_000


def test_worst_ones_are_shown_once_and_linked_from_every_group(page: Page) -> None:
    tiles = [a for a in page.having("div") if str(a.get("class")).startswith("tile ")]
    assert [(a["class"], a["id"]) for a in tiles] == [("tile missed", "item-1"), ("tile false-alarm", "item-2")]
    assert [a["href"] for a in page.having("a") if str(a["href"]).startswith("#item")] == ["#item-1"] * 2 + ["#item-2"]


def test_rows_are_shown_with_what_they_are_nearest_to(new_report: Callable[..., flow.Report], rounds: Rounds) -> None:
    row = flow.SyntheticRow(id="synthetic-0", anomaly="35", normal=None, nearest="<i>495", distance_ratio=4.2238)
    exhibits = RoundExhibits(
        invented=(Invented(row, cells={"pressure": "9.71", "<b>valve": "open"}),),
        of=1,
        sets=1,
        rows={"test/good/003.png": {"pressure": "0.25"}},
    )
    page = Page(render_round(new_report([], rounds=rounds), 2, exhibits))
    assert page.having("img") == []
    assert "synthetic-0 from 35<i>4954.224 × the usual distance9.71open" in page.text
    assert "row test/good/003.png false alarm0.25" in page.text
    assert "type (it says nothing)" not in page.text
    assert "From the set" not in page.text


def test_a_round_without_invention_shows_none(new_report: Callable[..., flow.Report], rounds: Rounds) -> None:
    page = Page(render_round(new_report([], rounds=rounds), 1))
    assert [s["id"] for s in page.having("section")] == ["decision", "blind"]
    assert "It learned from real anomalies alone. Better by real evidence at level 0.017." in page.text


def test_that_nothing_is_proven_is_said_at_the_top(new_report: Callable[..., flow.Report], rounds: Rounds) -> None:
    decision = flow.Decision(adopted=True, metric="false_alarm_rate", before=0.01, after=0.02, normals=75, why="…")
    page = Page(
        render_round(new_report([], rounds=(rounds[1].model_copy(update={"decision": decision, "number": 1}),)), 1)
    )
    assert "No real anomaly was known, so nothing is proven" in page.text.split("What was decided")[0]


def test_what_it_learned_from_besides_is_said(images: Run, rounds: Rounds, page: Page) -> None:
    assert "It learned from 40 invented with residual-paste, beside the real anomalies." in page.text
    adopted = rounds[1].decision.model_copy(update={"adopted": True})
    three = (
        *rounds[:1],
        rounds[1].model_copy(update={"decision": adopted}),
        rounds[1].model_copy(update={"number": 3}),
    )
    text = Page(render_round(images[0].model_copy(update={"rounds": three}), 3)).text
    assert ", beside the real anomalies and what adopted rounds invented before." in text


def test_there_is_no_such_round(new_report: Callable[..., flow.Report], rounds: Rounds) -> None:
    with pytest.raises(ValueError, match="round 3: the report has 2 rounds"):
        render_round(new_report([], rounds=rounds), 3)


def hostile(rounds: Rounds) -> flow.Round:
    return rounds[1].model_copy(
        update={
            "generator": EVIL,
            "head": EVIL,
            "mix": flow.Mix(portions=(flow.Portion(brief=flow.Brief(kind=EVIL, text=EVIL)),), why=EVIL),
            "rejected": {EVIL: 1},
            "reliabilities": tuple(
                flow.Reliability(verifier=EVIL, used=used, overkill=0.1, miss=0.1, why=EVIL) for used in (True, False)
            ),
            "decision": rounds[1].decision.model_copy(update={"why": EVIL, "metric": EVIL}),
            "spots": (
                flow.Spot(by="type", value=EVIL, items=3, wrong=3, examples=(EVIL, EVIL + "2")),
                flow.Spot(by="normals", value=EVIL, items=3, wrong=3, examples=(EVIL,)),
            ),
        }
    )


@pytest.mark.parametrize("modality", ["table", "image"])
def test_hostile_text_is_only_ever_text(
    images: Run, new_report: Callable[..., flow.Report], rounds: Rounds, modality: str
) -> None:
    report = (images[0] if modality == "image" else new_report([])).model_copy(
        update={"rounds": (rounds[0], hostile(rounds)), "stopped": EVIL}
    )
    verdicts = (flow.Verdict(verifier=EVIL, passed=False, why=EVIL),)
    row = flow.SyntheticRow(id=EVIL, anomaly=EVIL, normal=EVIL, nearest=EVIL, distance_ratio=1)
    exhibits = RoundExhibits(
        invented=(
            (invented(EVIL, kind=EVIL, anomaly=EVIL, verdicts=verdicts),)
            if modality == "image"
            else (Invented(row, cells={EVIL: EVIL}),)
        ),
        of=1,
        sets=2,
        tiles={EVIL: picture(EVIL)} if modality == "image" else {},
        rows={EVIL: {EVIL: EVIL}} if modality == "table" else {},
    )
    for html in (render_round(report, 2, exhibits), render(report, [])):
        page = Page(html)
        assert page.open == []
        assert page.having("script") == []
        assert not [a for _, a in page.elements for key in a if key.startswith("on")]
        assert "<script>alert(1)</script>" in page.text
        assert "\u202e" not in html
