"""Unusual but legal images: read right, and scored through `agentad detect` at their own resolution."""

import json
from pathlib import Path

import numpy as np
import pytest
from front_door import call, tree
from image_bytes import encoded, grain
from legal_images import LEGAL, REFUSED

from agentad import profile
from agentad.modalities.image.look import look_at
from agentad.modalities.image.maps import map_from_bytes
from agentad.modalities.image.pixels import read_pixels


def test_there_are_fifty():
    assert len(LEGAL) >= 50


@pytest.mark.parametrize("case", LEGAL)
def test_read_right(tmp_path, case):
    legal = LEGAL[case]
    path = tmp_path / legal.name
    path.write_bytes(legal.data)
    pixels = read_pixels(path)
    assert (pixels.shape, pixels.dtype) == (legal.pixels.shape, np.uint8)
    assert np.abs(pixels.astype(int) - legal.pixels).max() <= legal.off
    assert look_at(path).size == pixels.shape[1::-1]


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_not_read_wrongly(tmp_path, case):
    name, data = REFUSED[case]
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.png").write_bytes(LEGAL["interlaced"].data)
    found = profile(tmp_path)
    assert (found.items, found.n_skipped) == (1, 1)
    assert found.skipped[0].reason.split()[0] in ("not", "images", "cannot")


@pytest.fixture(scope="module")
def scored(detector, tmp_path_factory):
    """One folder of them all, scored by a detector that has seen none."""
    root = tmp_path_factory.mktemp("legal")
    for k, legal in enumerate(LEGAL.values()):
        path = root / "data" / f"{k:03}" / legal.name
        path.parent.mkdir(parents=True)
        path.write_bytes(legal.data)
    before = tree(root / "data")
    done = call("detect", detector, "--data", root / "data", "--out", root / "out", "--json")
    assert done.code == 0, done.err
    assert tree(root / "data") == before
    lines = [json.loads(line) for line in Path(done.document["scores"]).read_text().splitlines()]
    return root / "out", {line["id"].split("/")[0]: line for line in lines}


@pytest.mark.parametrize("case", LEGAL)
def test_scored_at_its_own_resolution(scored, case):
    out, lines = scored
    legal = LEGAL[case]
    line = lines[f"{list(LEGAL).index(case):03}"]
    assert line["id"].endswith(legal.name)
    assert np.isfinite([line["score"], line["p_value"]]).all()
    drawn = map_from_bytes((out / line["map"]).read_bytes())
    assert drawn.shape == legal.pixels.shape[:2]
    assert np.isfinite(drawn).all()
    height, width = drawn.shape
    for region in line["evidence"]:
        left, top, right, bottom = region["box"]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        corners = np.array(region["polygon"])
        assert len(corners) >= 3
        assert (corners >= (left, top)).all()
        assert (corners <= (right, bottom)).all()
        x, y = region["peak_at"]
        assert drawn[y, x] == pytest.approx(region["peak"])
        assert 0 < region["p_value"] <= 1


def test_twenty_megapixels(detector, tmp_path):
    pixels = np.kron(grain(36, 24), np.ones((152, 152, 1), np.uint8))
    pixels[900:1300, 2000:2600] = 255
    path = tmp_path / "large.png"
    path.write_bytes(encoded(pixels, "PNG", compress_level=1))
    assert np.array_equal(read_pixels(path), pixels)
    done = call("detect", detector, "--data", path, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    (line,) = map(json.loads, Path(done.document["scores"]).read_text().splitlines())
    assert map_from_bytes((tmp_path / "out" / line["map"]).read_bytes()).shape == (3648, 5472)
    assert all(3 <= len(region["polygon"]) <= 64 for region in line["evidence"])
