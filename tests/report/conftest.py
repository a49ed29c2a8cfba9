"""Small runs whose report is known by construction."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from agentad import flow
from agentad.report import Exhibits, Outline, Picture, pick

THRESHOLD = flow.Threshold(
    value=3.2145, target_far=0.01, method="conformal", n_calibration=200, far_low=0.0042, far_high=0.0213
)
TABLE_PLAN = flow.Plan(
    request="which rows look wrong?",
    modality="table",
    training="normal",
    encoder=flow.Step(tool="table-encoder", why="Mixed column kinds need one scale."),
    detector=flow.Step(tool="empirical-denoiser", params={"neighbours": 30}, why="The training rows are normal."),
    baselines=(flow.Step(tool="knn1", why="The cheap method to beat."),),
    assumptions=("Rows without a label are normal.",),
    seed=7,
)
IMAGE_PLAN = TABLE_PLAN.model_copy(
    update={
        "request": "find the bad parts and show me where they are bad",
        "modality": "image",
        "encoder": flow.Step(tool="dinov2-small", why="Pretrained features see texture."),
        "detector": flow.Step(tool="feature-fusion", why="Two views fail on different defects."),
        "baselines": (flow.Step(tool="memory-bank", why="The cheap method to beat."),),
    }
)
METRICS = {
    "empirical-denoiser": flow.Metrics(
        auroc=0.9312,
        ap=0.7134,
        f1max=0.7011,
        intervals={"auroc": (0.9021, 0.9541), "ap": (0.6523, 0.7734)},
        false_alarm_rate=0.0123,
        recall=0.5432,
        by_type={"spike": {"auroc": 0.981, "ap": 0.662}, "shift": {"auroc": 0.871, "ap": 0.514}},
        by_type_intervals={"spike": {"auroc": (0.953, 0.992)}},
        macro={"auroc": 0.926, "ap": 0.588},
        macro_intervals={"auroc": (0.895, 0.947)},
    ),
    "knn1": flow.Metrics(
        auroc=0.9124,
        ap=0.6921,
        f1max=0.6877,
        intervals={"auroc": (0.8812, 0.9413), "ap": (0.6234, 0.7523)},
        false_alarm_rate=0.0145,
        recall=0.5012,
        by_type={"spike": {"auroc": 0.972, "ap": 0.641}, "shift": {"auroc": 0.842, "ap": 0.533}},
        macro={"auroc": 0.907, "ap": 0.587},
    ),
}
COLUMNS = ("temperature", "pressure", "flow", "vibration", "current", "valve", "operator", "batch", "notes")


def table_profile() -> flow.DataProfile:
    columns = tuple(
        flow.Column(
            name=c, kind="numeric", missing=0.03, distinct=431, low=-3.1, high=9.75, mean=0.25, examples=("1.5",)
        )
        for c in COLUMNS
    )
    return flow.DataProfile(
        modality="table",
        root="/data/plant.csv",
        layout="csv",
        fingerprint="f" * 64,
        items=680,
        normal=656,
        anomalous=24,
        unlabelled=0,
        groups=680,
        table=flow.TableFacts(rows=680, columns=columns, label_column="fault", delimiter=",", encoding="utf-8"),
    )


def image_profile() -> flow.DataProfile:
    facts = flow.ImageFacts(smallest=(640, 480), largest=(640, 480), modes={"RGB": 680}, formats={"PNG": 680}, masks=24)
    update = {"modality": "image", "root": "/data/screws", "layout": "mvtec", "table": None, "image": facts}
    return table_profile().model_copy(update=update)


def make_report(scored: list[flow.ScoredItem], **changes: object) -> flow.Report:
    base = flow.Report(
        run="run-0a1b2c",
        dir="/runs/run-0a1b2c",
        plan=TABLE_PLAN,
        profile=table_profile(),
        detector="/runs/run-0a1b2c/detector",
        threshold=THRESHOLD,
        items=len(scored),
        flagged=sum(i.flag for i in scored),
        metrics=METRICS,
        report="/runs/run-0a1b2c/report.html",
        seconds=12.3,
        peak_mb=812,
        timings={"encode": 1.25, "fit": 4.5, "score": 2.25},
        versions={"agentad": "0.1.0", "numpy": "2.1.0"},
        reproduce="agentad recipe run /runs/run-0a1b2c/plan.yaml --data /data/plant.csv",
    )
    return base.model_copy(update=changes)


def make_scores(n: int, anomalies: int, seed: int = 0) -> tuple[np.ndarray, dict[int, int]]:
    random = np.random.default_rng(seed)
    scores = random.gamma(4.0, 0.35, n)
    scores[:anomalies] += random.uniform(0.5, 4.5, anomalies)
    return scores, {i: int(i < anomalies) for i in range(n)}


def table_items(scores: np.ndarray, seed: int = 0) -> list[flow.ScoredItem]:
    random = np.random.default_rng(seed)
    return [_table_item(str(i), float(s), random) for i, s in enumerate(scores)]


def _table_item(name: str, score: float, random: np.random.Generator) -> flow.ScoredItem:
    shares = np.sort(random.dirichlet(np.full(5, 0.6)))[::-1]
    columns = random.permutation(len(COLUMNS))[:5]
    evidence = tuple(
        flow.ColumnEvidence(
            column=COLUMNS[c], actual=f"{random.normal(0, 4):.2f}", expected=f"{random.normal():.2f}", share=float(s)
        )
        for c, s in zip(columns, shares, strict=True)
    )
    return _item(name, score, evidence)


def _item(name: str, score: float, evidence: tuple[flow.Evidence, ...] = ()) -> flow.ScoredItem:
    p = float(np.exp(-score))
    return flow.ScoredItem(id=name, score=score, p_value=p, flag=score > THRESHOLD.value, evidence=evidence)


def image_items(scores: np.ndarray) -> list[flow.ScoredItem]:
    region = flow.RegionEvidence(
        box=(60, 40, 180, 130), area=6144, peak=4.25, peak_at=(120, 80), neighbour="train/good/013.png"
    )
    small = flow.RegionEvidence(box=(500, 400, 512, 416), area=150, peak=2.5, peak_at=(505, 410))
    return [
        _item(f"test/{'bad' if s > 3 else 'good'}/{i:03d}.png", float(s), (region, small)) for i, s in enumerate(scores)
    ]


def encoded(pixels: np.ndarray, kind: str = "JPEG") -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, kind)
    return stream.getvalue()


def corner(doubtful: bool = False) -> Outline:
    """A triangle in the upper left."""
    return Outline(((0.0, 0.0), (0.25, 0.0), (0.0, 0.3333)), doubtful)


def panel(seed: int) -> tuple[Picture, ...]:
    """A grey part with a bright blot, its heat map, and a patch."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320]
    blot = np.exp(-(((x - 60) / 30) ** 2 + ((y - 42) / 22) ** 2))
    grey = 128 + 40 * np.sin(x / 9)[..., None] + random.normal(0, 6, (240, 320, 1)) + 90 * blot[..., None]
    part = np.repeat(np.clip(grey, 0, 255), 3, axis=2)
    heat = np.clip(part * 0.6 + blot[..., None] * np.array([230, 90, 20]), 0, 255)
    return (
        Picture(encoded(part), "The image as it came", "original"),
        Picture(encoded(heat), "Heat map: the upper left stands out", "where it stands out", (corner(), corner(True))),
        Picture(encoded(part[100:200, 100:230]), "The nearest normal patch", "nearest normal: train/good/013.png"),
    )


Run = tuple[flow.Report, list[flow.ScoredItem], Exhibits]


@pytest.fixture
def new_report() -> Callable[..., flow.Report]:
    """Makes a report over given items, with any field changed."""
    return make_report


@pytest.fixture
def new_table_run() -> Callable[..., Run]:
    """Makes a run over 480 rows, 24 of them labelled anomalous, with evidence and any report field changed."""
    return table_run


@pytest.fixture(scope="session")
def images() -> Run:
    """A run over 1,000 images, all of them with panels, although only a few may be shown."""
    return image_run(1000)


def table_run(**changes: object) -> Run:
    scores, labels = make_scores(480, 24)
    items = table_items(scores)
    exhibits = Exhibits(
        held_out=make_scores(200, 0, seed=1)[0],
        labels={str(i): v for i, v in labels.items()},
        kinds={str(i): "spike" if i % 2 else "shift" for i, v in labels.items() if v},
        rows={i.id: dict.fromkeys(COLUMNS, "0.1") for i in items},
    )
    return make_report(items, **changes), items, exhibits


def image_run(n: int, **changes: object) -> Run:
    scores, labels = make_scores(n, n // 20)
    items = image_items(scores)
    by_id = {item.id: labels[i] for i, item in enumerate(items)}
    shown = pick(items, THRESHOLD.value, by_id).ids
    drawn = {name: panel(i) for i, name in enumerate(shown)}
    small = panel(0)[2].data
    exhibits = Exhibits(
        held_out=make_scores(200, 0, seed=1)[0],
        labels=by_id,
        kinds={name: "scratch" for name, v in by_id.items() if v},
        panels={i.id: drawn.get(i.id, next(iter(drawn.values()))) for i in items},
        tiles={i.id: Picture(small, f"{i.id}, small", outlines=(corner(),)) for i in items},
        sizes={i.id: (640, 480) for i in items},
        samples=tuple(panel(k)[0] for k in range(8)),
    )
    metrics = {
        "feature-fusion": METRICS["empirical-denoiser"].model_copy(
            update={
                "pixel_auroc": 0.981,
                "pixel_ap": 0.523,
                "aupro": 0.816,
                "by_type": {"scratch": {"auroc": 0.931, "pixel_ap": 0.497, "aupro": 0.823}},
                "by_type_intervals": {},
            }
        ),
        "memory-bank": METRICS["knn1"].model_copy(
            update={
                "pixel_auroc": 0.971,
                "pixel_ap": 0.505,
                "aupro": 0.827,
                "by_type": {"scratch": {"auroc": 0.901}},
            }
        ),
    }
    base = {"plan": IMAGE_PLAN, "profile": image_profile(), "metrics": metrics} | changes
    return make_report(items, **base), items, exhibits


RELIABILITIES = (
    flow.Reliability(verifier="visibility", used=True, cut=0.4, overkill=0.125, miss=0.05, good=8, bad=40),
    flow.Reliability(verifier="placement", used=False, good=8, bad=10, why="no better than chance"),
    flow.Reliability(verifier="type", used=False, abstained=1.0, why="it says nothing"),
)
ALONE = flow.Round(
    number=1,
    generator=None,
    head="patch-head",
    decision=flow.Decision(
        adopted=True,
        metric="auroc",
        before=0.9124,
        after=0.9431,
        interval=(0.0051, 0.0612),
        p_value=0.0042,
        anomalies=20,
        normals=150,
        why="auroc 0.912 to 0.943 (difference +0.005 to +0.061), p 0.0042, on 20 real anomalies and 150 normal items: "
        "better by real evidence at level 0.017.",
    ),
)
INVENTING = flow.Round(
    number=2,
    generator="residual-paste",
    head="patch-head",
    mix=flow.Mix(
        portions=(
            flow.Portion(weight=1, brief=flow.Brief(kind="bent")),
            flow.Portion(
                weight=3,
                brief=flow.Brief(kind="scratch", size=(0.005, 0.03), place="edge", strength=(0.5, 1.0)),
                hard_normals=0.25,
            ),
        ),
        why="By confusion: 3 of 20 real anomalies are missed.",
    ),
    made=40,
    rejected={"visibility": 6, "no place": 3},
    dropped=2,
    reliabilities=RELIABILITIES,
    decision=ALONE.decision.model_copy(
        update={"adopted": False, "after": 0.9102, "interval": (-0.02, 0.01), "p_value": 0.71, "why": "auroc …: worse."}
    ),
    spots=(
        flow.Spot(by="type", value="scratch", items=12, wrong=3, examples=("test/scratch/001.png",)),
        flow.Spot(by="type", value="", items=8, wrong=0),
        flow.Spot(by="size", value="small", items=9, wrong=3, examples=("test/scratch/001.png", "test/scratch/9.png")),
        flow.Spot(by="normals", value="", items=150, wrong=1, examples=("test/good/003.png",)),
    ),
    cpu_seconds=12.34,
)


@pytest.fixture
def rounds() -> tuple[flow.Round, ...]:
    """One that learned from real anomalies alone and was adopted, one that invented and was not."""
    return (ALONE, INVENTING)
