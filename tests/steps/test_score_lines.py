from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from agentad.detectors.conformal import Calibration
from agentad.flow import ColumnEvidence, RegionEvidence, ScoredItem
from agentad.modalities.items import Items
from agentad.steps.score import Scored, as_json, read_lines, write_lines

NAMES = ["0", "a b.csv:1", 'quo"te', "ünï\\code\n", "\ud800".encode("utf-8", "replace").decode(), "last"]
EVIDENCE = (
    ColumnEvidence(column="größe", actual='"', expected="1e-07", share=1e-7, low="0", high="2", partner="b"),
    ColumnEvidence(column="b", actual="\x07", expected="é", share=0.25),
)


def _items():
    n = len(NAMES)
    empty = np.full(n, "", dtype=object)
    return Items(np.array(NAMES, dtype=object), np.full(n, -1, np.int8), empty, np.arange(n), empty)


@pytest.mark.parametrize("lines", [1, 2, 100])
@pytest.mark.parametrize("known_normal", [True, False])
def test_what_is_written_is_what_was_scored(tmp_path, monkeypatch, lines, known_normal):
    monkeypatch.setattr(import_module("agentad.steps.score"), "LINES", lines)
    calibration = Calibration(np.linspace(0, 1, 40), 0.1, known_normal=known_normal)
    index = np.array([0, 1, 2, 4, 5])
    result = Scored(index, np.array([1e-9, 0.5, 2.0, 1e20, 0.95]))
    result.evidence[2] = as_json(EVIDENCE)
    result.maps[4] = "maps/ö.tiff"
    included = np.array([True, False, False, True, False])
    path = tmp_path / "scores.jsonl"
    write_lines(path, SimpleNamespace(calibration=calibration), _items(), result, included)

    inside, outside = (calibration.p_values(result.item, included=which) for which in (True, False))
    expected = [
        ScoredItem(
            id=NAMES[i],
            score=value,
            p_value=(inside if included[k] else outside)[k],
            flag=bool(value > calibration.threshold.value),
            borderline=bool(calibration.borderline(result.item)[k]),
            evidence=EVIDENCE if i == 2 else (),
            map="maps/ö.tiff" if i == 4 else None,
        )
        for k, (i, value) in enumerate(zip(index.tolist(), result.item.tolist(), strict=True))
    ]
    assert read_lines(path) == expected
    assert read_lines(path, {1, 3}.__contains__) == [expected[1], expected[3]]


def test_regions_are_read_back_too():
    corners = ((0.0, 1.5), (0.5, 1.0), (2.0, 2.5))
    region = RegionEvidence(
        box=(0, 1, 2, 3), polygon=corners, area=4, peak=1.5, peak_at=(1, 2), p_value=0.25, doubt=0.5
    )
    item = ScoredItem(id="x", score=1, p_value=1, flag=False, evidence=(region,))
    text = f'{{"id":"x","score":1,"p_value":1,"flag":false,"evidence":{as_json((region,))}}}'
    assert ScoredItem.model_validate_json(text) == item
