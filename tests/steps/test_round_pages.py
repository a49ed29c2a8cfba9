"""What the pages of rounds show, from a run folder that is known by construction."""

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from agentad.flow import Brief, Decision, Round, Spot, SyntheticImage, SyntheticRow
from agentad.modalities.image import open_images, png_bytes
from agentad.steps.page import show
from agentad.steps.rounds import ROWS, SHEET, WORST, round_exhibits

ORIGINS = {"anomaly": "test/spot/01.png", "normal": "train/good/03.png"}


def a_round(adopted, *, examples=(), **changes):
    spot = Spot(by="type", value="spot", items=9, wrong=len(examples), examples=examples)
    fields = {"generator": "residual-paste", "made": 30, "spots": (spot,)} | changes
    decision = Decision(adopted=adopted, metric="auroc", why="…")
    return Round(number=2, head="patch-head", decision=decision, **fields)


def write_images(folder, n):
    """Black images with a white square where the mask is."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    lines = []
    for i in range(n):
        made = SyntheticImage(id=f"{i:05}", kind="spot", brief=Brief(), attempts=1, tool="paste", seed=0, **ORIGINS)
        image = np.zeros((40, 40, 3), np.uint8)
        image[10:20, 10:20] = 255
        (folder / "images" / f"{made.id}.png").write_bytes(png_bytes(image))
        (folder / "masks" / f"{made.id}.png").write_bytes(png_bytes(image[..., 0]))
        lines.append(made.model_dump_json())
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")


def pixels(picture):
    return np.asarray(Image.open(BytesIO(picture.data))).astype(int)


@pytest.fixture
def session(tmp_path, spots):
    """A run over the images with spots; what it invented for each fold, and an old set from all of them."""
    data = open_images(spots)
    run = tmp_path / "run"
    for part, n in (("0", 30), ("1", 3), ("all", 5)):
        write_images(run / f"round-2-made-{part}", n)
    return SimpleNamespace(run=SimpleNamespace(path=run), plan=SimpleNamespace(modality="image"), data=data)


def test_of_an_adopted_round_what_the_detector_learned_from_is_shown(session):
    shown = round_exhibits(session, a_round(adopted=True))
    assert [made.origin.id for made in shown.invented] == [f"{i:05}" for i in range(5)]
    assert (shown.of, shown.sets, shown.folded) == (5, 3, False)


def test_of_any_other_a_sheet_of_the_first_set(session):
    shown = round_exhibits(session, a_round(adopted=False))
    names = [made.origin.id for made in shown.invented]
    assert (names[0], names[-1], len(set(names))) == ("00000", "00029", SHEET)
    assert (shown.of, shown.sets, shown.folded) == (30, 2, True)


def test_the_mask_is_outlined_beside_the_image(session):
    plain, marked = (pixels(picture) for picture in round_exhibits(session, a_round(adopted=True)).invented[0].pictures)
    assert plain[15, 15].min() > 200
    assert plain[9, 15].max() < 80
    assert marked[9, 15, 2] - plain[9, 15, 2] > 80  # cyan, just outside
    assert marked[15, 15].min() > 200


def test_a_mask_of_one_pixel_is_outlined_too(session):
    folder = session.run.path / "round-2-made-all"
    image, mask = np.zeros((1000, 1000, 3), np.uint8), np.zeros((1000, 1000), np.uint8)
    mask[501, 502] = 255
    (folder / "images" / "00000.png").write_bytes(png_bytes(image))
    (folder / "masks" / "00000.png").write_bytes(png_bytes(mask))
    plain, marked = (pixels(picture) for picture in round_exhibits(session, a_round(adopted=True)).invented[0].pictures)
    assert plain.max() < 20
    assert marked[115:126, 115:126].max() > 80


@pytest.mark.parametrize("changes", [{"generator": None}, {"made": 0}])
def test_nothing_made_nothing_shown(session, changes):
    shown = round_exhibits(session, a_round(adopted=False, **changes))
    assert (shown.invented, shown.of, shown.sets) == ((), 0, 0)


def test_examples_are_shown_once_and_only_those_that_exist(session):
    names = ("test/spot/01.png", "gone.png", "test/spot/01.png", "train/good/03.png")
    shown = round_exhibits(session, a_round(adopted=False, examples=names))
    assert [picture.alt for picture in shown.tiles.values()] == [
        "test/spot/01.png with its true mask outlined",
        "train/good/03.png",
    ]
    assert round_exhibits(session, a_round(adopted=False, examples=tuple(map(str, range(99))))).tiles == {}
    assert WORST < 99


class Encoder:
    """Shows cells as they stand."""

    columns = ("x", "name", "missing values")

    def actual(self, frame, row, column):
        return str(frame[column][row])


def test_invented_rows_come_with_their_cells(tmp_path):
    folder = tmp_path / "round-2-made-0"
    folder.mkdir()
    n = ROWS + 5
    pl.DataFrame({"x": np.arange(n) / 2, "name": [f"<b>{i}" for i in range(n)]}).write_parquet(folder / "rows.parquet")
    rows = [SyntheticRow(id=f"s{i}", anomaly="4", normal=None, nearest="7", distance_ratio=i) for i in range(n)]
    (folder / "manifest.jsonl").write_text("".join(f"{row.model_dump_json()}\n" for row in rows))
    real = pl.DataFrame({"x": [7.5, 8.5], "name": ["a", "b"]})
    session = SimpleNamespace(
        run=SimpleNamespace(path=tmp_path),
        plan=SimpleNamespace(modality="table"),
        fitted=SimpleNamespace(encoder=Encoder()),
        data=SimpleNamespace(items=SimpleNamespace(id=np.array(["0", "1"], object)), take=lambda index: real[index]),
    )
    shown = round_exhibits(session, a_round(adopted=False, examples=("1",)))
    assert len(shown.invented) == ROWS
    assert shown.of == n
    assert shown.invented[3].cells == {"x": "1.5", "name": "<b>3"}
    assert shown.invented[3].origin.distance_ratio == 3
    assert shown.rows == {"1": {"x": "8.5", "name": "b"}}
    assert shown.tiles == {}


def test_pages_of_rounds_that_are_no_more_are_taken_away(tmp_path):
    for name in ("page/report.html", "page/report.json", "page/round-1.html", "round-1.html", "round-2.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    show(SimpleNamespace(run=SimpleNamespace(path=tmp_path), folder=lambda step: tmp_path / step))
    assert (tmp_path / "round-1.html").read_text() == "page/round-1.html"
    assert not (tmp_path / "round-2.html").exists()
    assert (tmp_path / "report.html").exists()
