"""The page as a browser would read it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from agentad import flow
from agentad.report import Exhibits, Picture, pick, render

Run = tuple[flow.Report, list[flow.ScoredItem], Exhibits]
VOID = {"meta", "img", "br", "rect", "line"}
EVIL = "<script>alert(1)</script>\" onerror='x'\n\u202egnp.exe אבג"


class Page(HTMLParser):
    """Elements with their attributes, text, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID or (tag == "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\u00a0", " ").split())

    def having(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def test_sections_come_in_order(new_table_run: Callable[..., Run]) -> None:
    page = Page(render(*new_table_run()))
    assert [s["id"] for s in page.having("section")] == ["items", "scores", "metrics", "plan", "data", "run", "next"]
    assert page.open == []


@pytest.mark.parametrize("modality", ["table", "image"])
def test_nothing_is_fetched_and_nothing_runs(new_table_run: Callable[..., Run], images: Run, modality: str) -> None:
    page = Page(render(*(images if modality == "image" else new_table_run())))
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "base", "form"})
    sources = [a[k] or "" for _, a in page.elements for k in ("src", "href", "srcset", "action") if k in a]
    assert all(s.startswith(("data:image/jpeg;base64,", "#")) for s in sources)
    assert not [a for _, a in page.elements for key in a if key.startswith("on")]
    assert "default-src 'none'" in str(page.having("meta")[1])


@pytest.mark.parametrize("modality", ["table", "image"])
def test_it_can_be_read_without_seeing_it(new_table_run: Callable[..., Run], images: Run, modality: str) -> None:
    page = Page(render(*(images if modality == "image" else new_table_run())))
    assert all(img["alt"] for img in page.having("img"))
    assert all(th["scope"] in ("col", "row") for th in page.having("th"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.having("svg"))
    assert page.having("html") == [{"lang": "en"}]
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert max(ids.values()) == 1
    assert {(a["href"] or "")[1:] for a in page.having("a")} <= set(ids)


def test_every_number_of_the_report_is_on_the_page(new_table_run: Callable[..., Run]) -> None:
    report, items, exhibits = new_table_run()
    text = Page(render(report, items, exhibits)).text
    for number in ("3.215", "0.42 %", "2.13 %", "200 held-out normal rows", "0.931", "0.902 to 0.954", "0.912"):
        assert number in text
    for number in ("0.713", "0.652 to 0.773", "0.701", "1.23 %", "54.3 %", "0.981", "0.842", "12.3 s", "812 MB"):
        assert number in text
    for fact in ("Seed7", "numpy2.1.0", "encode1.25", report.reproduce, "Rows without a label are normal."):
        assert fact in text
    assert f"{report.flagged} of {report.items} rows are flagged" in text


def test_a_thousand_images_stay_small(images: Run) -> None:
    report, items, exhibits = images
    html = render(report, items, exhibits)
    shown = pick(items, report.threshold.value, exhibits.labels).ids
    assert 12 < len(shown) <= 36
    tiles = [a for a in Page(html).having("a") if str(a.get("class")).startswith("tile ")]
    assert len(shown) <= len(tiles) <= 36
    assert len(Page(html).having("img")) == 3 * len(shown) + len(tiles) + len(exhibits.samples)
    assert len(html) < 2_000_000


def test_contact_sheets_say_what_labels_say_and_lead_to_the_details(images: Run) -> None:
    report, items, exhibits = images
    page = Page(render(report, items, exhibits))
    sheets = [a for a in page.having("div") if a.get("class") == "sheet"]
    assert [s["id"] for s in page.having("section")][:2] == ["items", "details"]
    assert len(sheets) == 4  # worst, borderline, missed, falsely raised
    tiles = [a for a in page.having("a") if str(a.get("class")).startswith("tile ")]
    assert {str(a["class"]) for a in tiles} <= {
        f"tile {v}" for v in ("found", "missed", "false-alarm", "rightly-passed")
    }
    assert "tile missed" in {a["class"] for a in tiles}


def test_outlines_are_drawn_over_pictures_and_dashed_where_in_doubt(images: Run) -> None:
    page = Page(render(*images))
    edges = [a for a in page.having("polygon") if str(a["class"]).startswith("edge")]
    assert {a["points"] for a in edges} == {"0,0 250,0 0,333"}
    assert {str(a["class"]) for a in edges} == {"edge", "edge unsure"}


def test_types_their_mean_and_intervals_are_on_the_page(new_table_run: Callable[..., Run], images: Run) -> None:
    text = Page(render(*new_table_run())).text
    for said in ("Mean over types", "0.953 to 0.992", "0.926", "0.895 to 0.947", "0.588"):
        assert said in text
    report, items, exhibits = images
    metrics = {name: m.model_copy(update={"without_mask": 3, "aupro_limit": 0.1}) for name, m in report.metrics.items()}
    told = Page(render(report.model_copy(update={"metrics": metrics}), items, exhibits)).text
    assert "3 anomalous images without a mask, or with one that marks nothing: left out of the pixel metrics." in told
    assert "AUPRO: overlap with each defect up to 10 % false pixels." in told
    assert "Mean over types" not in told  # there is but one


def test_each_item_is_shown_once_and_referred_to_afterwards(new_table_run: Callable[..., Run]) -> None:
    report, items, exhibits = new_table_run()
    page = Page(render(report, items, exhibits))
    anchors = [a["id"] for _, a in page.elements if str(a.get("id", "")).startswith("item-")]
    assert len(anchors) == len(pick(items, report.threshold.value, exhibits.labels).ids)
    assert "Also shown above" in page.text


def test_further_drivers_are_said_below_the_row_that_has_some(new_report: Callable[..., flow.Report]) -> None:
    def item(name: str, *columns: str) -> flow.ScoredItem:
        evidence = tuple(flow.ColumnEvidence(column=c, actual="9", expected="2", share=1 / 7) for c in columns)
        return flow.ScoredItem(id=name, score=9.0, p_value=0.001, flag=True, evidence=evidence)

    items = [item("0", *"abcdefg"), item("1", *"abcdef")]
    page = Page(render(new_report(items), items, Exhibits()))
    assert len([a for a in page.having("tr") if a.get("class") == "also"]) == 1
    assert "Also: g is 9, expected 2 (14 %)" in page.text


def test_scores_of_rows_learned_from_are_not_called_unlabelled(new_table_run: Callable[..., Run]) -> None:
    report, items, exhibits = new_table_run()
    judged = {name: label for name, label in exhibits.labels.items() if int(name) < 240}
    page = Page(render(report, items, replace(exhibits, labels=judged)))
    assert "Scored, rows learned from" in page.text


def test_driving_cells_show_actual_expected_and_share(new_report: Callable[..., flow.Report]) -> None:
    evidence = flow.ColumnEvidence(column="pressure", actual="9.7", expected="1.2", share=0.83)
    item = flow.ScoredItem(id="37", score=8.25, p_value=0.0049, flag=True, evidence=(evidence,))
    html = render(new_report([item]), [item])
    assert 'class="hot" style="--s:0.830"' in html
    assert "row 37 flagged score 8.25 · p 0.0049 9.7expected 1.283 %" in Page(html).text


def test_a_detector_that_names_no_columns_shows_plain_rows(new_table_run: Callable[..., Run]) -> None:
    report, items, shown = new_table_run()
    plain = [item.model_copy(update={"evidence": ()}) for item in items]
    page = Page(render(report, plain, shown))
    assert (
        "This detector does not say which columns drove a score; each row is shown by its first columns." in page.text
    )
    assert "Shaded cells" not in page.text
    assert [td for td in page.having("td") if td.get("class") == "hot"] == []
    assert [td for td in page.having("td") if td.get("class") == "quiet"] != []


def test_driving_cells_show_the_interval_and_the_partner(new_report: Callable[..., flow.Report]) -> None:
    evidence = flow.ColumnEvidence(
        column="amount", actual="9999", expected="120", low="80", high="160", partner="<b>country", share=0.83
    )
    item = flow.ScoredItem(id="37", score=8.25, p_value=0.0049, flag=True, evidence=(evidence,))
    html = render(new_report([item]), [item])
    text = Page(html).text
    assert "9999expected 120(80 to 160)odd only together with <b>country83 %" in text
    assert "suggests (in brackets the range of nine in ten such values), and the cell's part" in text
    assert "<b>country" not in html


def test_a_value_that_is_the_expected_one_is_not_said_twice(new_report: Callable[..., flow.Report]) -> None:
    evidence = flow.ColumnEvidence(column="country", actual="DE", expected="DE", share=0.08)
    item = flow.ScoredItem(id="37", score=8.25, p_value=0.0049, flag=True, evidence=(evidence,))
    assert "DEas expected8 %" in Page(render(new_report([item]), [item])).text


def test_intervals_are_explained_only_where_there_are_any(new_table_run: Callable[..., Run]) -> None:
    assert "what the normal data around it suggests, and" in Page(render(*new_table_run())).text


def test_regions_are_said_in_words(images: Run) -> None:
    text = Page(render(*images)).text
    assert "upper left, 120 × 90 px, 2 % of the image; peak 4.25; nearest normal patch in train/good/013.png" in text


def test_an_item_near_the_threshold_is_called_unsure(new_report: Callable[..., flow.Report]) -> None:
    item = flow.ScoredItem(id="37", score=3.3, p_value=0.01, flag=True, borderline=True)
    assert "flagged unsure: near the threshold" in Page(render(new_report([item]), [item])).text
    sure = item.model_copy(update={"borderline": False})
    assert "unsure" not in Page(render(new_report([sure]), [sure])).text


def test_hostile_text_is_only_ever_text(new_report: Callable[..., flow.Report]) -> None:
    evidence = flow.ColumnEvidence(column=EVIL, actual="A" * 10_000, expected=EVIL, share=1.0)
    item = flow.ScoredItem(id=EVIL, score=9.0, p_value=0.01, flag=True, evidence=(evidence,))
    report = new_report([item], notes=(EVIL,), reproduce=EVIL, detector=EVIL, versions={EVIL: EVIL})
    plan = report.plan.model_copy(update={"request": EVIL, "assumptions": (EVIL,)})
    profile = report.profile.model_copy(update={"root": EVIL, "n_skipped": 1, "notes": (EVIL,)})
    skipped = profile.model_copy(update={"skipped": (flow.Skipped(path=EVIL, reason=EVIL),)})
    picture = Picture(b"\xff\xd8\xff", EVIL, EVIL)
    exhibits = Exhibits(labels={EVIL: 1}, kinds={EVIL: EVIL}, rows={EVIL: {EVIL: EVIL}}, samples=(picture,))
    html = render(report.model_copy(update={"plan": plan, "profile": skipped}), [item], exhibits)
    page = Page(html)
    assert page.having("script") == []
    assert not [a for _, a in page.elements for key in a if key.startswith("on")]
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in html
    assert "A" * 50 not in html


def test_hostile_images_too(images: Run) -> None:
    report, _, exhibits = images
    region = flow.RegionEvidence(box=(0, 0, 9, 9), area=81, peak=1.0, peak_at=(4, 4), neighbour=EVIL)
    item = flow.ScoredItem(id=EVIL, score=9.0, p_value=0.01, flag=True, evidence=(region,))
    panels = {EVIL: (Picture(b"\xff\xd8\xff", EVIL, EVIL),)}
    page = Page(render(report, [item], replace(exhibits, panels=panels)))
    assert page.having("script") == []
    assert not [a for _, a in page.elements for key in a if key.startswith("on")]


def test_names_that_are_not_unicode_can_be_written(new_report: Callable[..., flow.Report]) -> None:
    item = flow.ScoredItem.model_construct(id="bad\udcff.png", score=1.0, p_value=0.5, flag=False, evidence=())
    assert b"bad\\udcff.png" in render(new_report([item]), [item]).encode("utf-8")


def test_a_win_of_the_baseline_is_said_at_the_top(new_table_run: Callable[..., Run]) -> None:
    metrics = {"empirical-denoiser": flow.Metrics(auroc=0.8), "knn1": flow.Metrics(auroc=0.9)}
    top = Page(render(*new_table_run(metrics=metrics))).text.split("What stands out")[0]
    assert "The baseline wins. The cheap baseline knn1 wins on AUROC: 0.900 against 0.800 for empirical-deno" in top


def test_warnings_are_said_at_the_top(new_table_run: Callable[..., Run]) -> None:
    report, items, exhibits = new_table_run(notes=("The rule planner took over.",))
    threshold = report.threshold.model_copy(update={"warning": "Forty normals cannot support 1 %."})
    page = Page(render(report.model_copy(update={"threshold": threshold}), items, exhibits))
    top = page.text.split("What stands out")[0]
    assert "The threshold is uncertain. Forty normals cannot support 1 %. Note. The rule planner took over." in top
    assert [a for a in page.having("div") if a.get("class") == "warn"]


def test_no_warning_no_box(new_table_run: Callable[..., Run]) -> None:
    page = Page(render(*new_table_run()))
    assert not [a for a in page.having("div") if a.get("class") == "warn"]


def test_without_labels_no_quality_is_claimed(new_table_run: Callable[..., Run]) -> None:
    report, items, exhibits = new_table_run(metrics=None)
    text = Page(render(report, items, Exhibits(held_out=exhibits.held_out))).text
    assert "The data has no labels, so how many anomalies were found cannot be measured." in text
    assert "AUROC" not in text
    assert "missed" not in text.lower()


def test_nothing_flagged_is_said(new_report: Callable[..., flow.Report]) -> None:
    item = flow.ScoredItem(id="0", score=0.5, p_value=0.5, flag=False)
    text = Page(render(new_report([item], metrics=None), [item])).text
    assert "0 of 1 row is flagged No row scores above the threshold of 3.215." in text
    assert "Nothing is flagged." in text


def test_no_items_at_all(new_report: Callable[..., flow.Report]) -> None:
    assert "0 of 0 rows are flagged" in Page(render(new_report([]), [])).text


def test_the_same_run_gives_the_same_bytes_in_any_order(new_table_run: Callable[..., Run]) -> None:
    report, items, exhibits = new_table_run()
    assert render(report, items, exhibits) == render(report, items[::-1], exhibits)


def test_long_lists_are_cut_and_say_so(new_table_run: Callable[..., Run]) -> None:
    report, items, exhibits = new_table_run()
    column = flow.Column(name="c", kind="numeric", missing=0.0, distinct=2)
    table = flow.TableFacts(rows=9, columns=(column,) * 100)
    skipped = tuple(flow.Skipped(path=f"{i}.csv", reason="empty") for i in range(50))
    profile = report.profile.model_copy(update={"table": table, "skipped": skipped, "n_skipped": 70})
    text = Page(render(report.model_copy(update={"profile": profile}), items, exhibits)).text
    assert "40 more columns not listed." in text
    assert "Left out: 70 files" in text
    assert "50 more" in text
    assert "20.csv" not in text


def test_a_picture_must_be_a_picture(images: Run) -> None:
    report, items, exhibits = images
    with pytest.raises(ValueError, match="the picture 'a page' is neither PNG, JPEG nor WebP"):
        render(report, items, replace(exhibits, samples=(Picture(b"<svg onload=x>", "a page"),)))


def test_rounds_have_a_table_that_leads_to_their_pages(
    new_table_run: Callable[..., Run], rounds: tuple[flow.Round, ...]
) -> None:
    page = Page(render(*new_table_run(rounds=rounds, stopped="The last 2 rounds were not adopted.")))
    assert [s["id"] for s in page.having("section")] == [
        *("items", "scores", "metrics", "rounds", "plan", "data", "run", "next")
    ]
    assert [a["href"] for a in page.having("a") if str(a["href"]).startswith("round-")] == [
        *("round-1.html", "round-2.html")
    ]
    told = page.text.split("A round leads to its page.")[1]
    assert "Round 1real anomalies alone––0.912 → 0.943AUROC, +0.005 to +0.0610.0042adoptedBetter by real" in told
    assert "Round 240 invented with residual-paste920.912 → 0.910AUROC, −0.020 to +0.0100.71not adoptedWorse." in told
    assert "No further round: The last 2 rounds were not adopted." in told


def test_rounds_that_never_began_say_why(new_table_run: Callable[..., Run]) -> None:
    page = Page(render(*new_table_run(stopped="The time for rounds is spent.")))
    assert "No round was begun.No further round: The time for rounds is spent." in page.text


def test_the_method_before_the_rounds_is_no_baseline(new_table_run: Callable[..., Run]) -> None:
    report, items, exhibits = new_table_run()
    metrics = {"knn1": report.metrics["knn1"], "unsupervised": flow.Metrics(auroc=0.925, ap=0.9), **report.metrics}
    page = Page(render(report.model_copy(update={"metrics": metrics}), items, exhibits))
    methods = page.text.split("anomalies flagged")[1].split("AUROC: the chance")[0]
    roles = ("the method after the rounds", "unsupervisedthe method before the rounds", "knn1baseline")
    assert [methods.find(role) for role in roles] == sorted(methods.index(role) for role in roles)
    assert "Learning from anomalies raised AUROC from 0.925 (unsupervised) to 0.931." in page.text
    top = page.text.split("What stands out")[0]
    assert "The rounds did not help here. Learning from anomalies lowered AP from 0.900 (unsupervised) to 0.713." in top
    assert "The baseline wins" not in top
