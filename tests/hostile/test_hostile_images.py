"""Image files made to crash, hang, fill memory or run something, through `agentad detect`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from broken_images import good
from front_door import SECONDS, Hangs, Outcome, call, limited, tree
from hostile_images import CANARY, HOSTILE, MENDED, RGB, SURVIVED

from agentad.errors import UnreadableData
from agentad.modalities.image import open_images

GOOD = 3
KINDS = sorted({case.split(":")[0] for case in HOSTILE})
"""Few enough of each for the list of what was skipped to hold them all."""
MOST_MB = 2_000
"""Most memory that scoring may take; torch alone takes a few hundred."""


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("data", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def detect(detector: Path, place: Path, data: Path) -> Outcome:
    before = tree(data)
    done = call("detect", detector, f"--data={os.fspath(data)}", "--out", place / "out", "--json")
    assert tree(data) == before
    assert not [path for path in place.rglob("*") if path.name == CANARY]
    assert "Traceback" not in done.err + done.out
    return done


def test_there_are_a_hundred():
    assert len(HOSTILE) >= 100


@pytest.mark.parametrize("case", HOSTILE)
def test_skipped_beside_a_good_image_and_refused_alone(place, case):
    name, make = HOSTILE[case]
    make(place / "data" / name)
    with limited(), pytest.raises(UnreadableData):
        open_images(place / "data")
    good(place / "data", 1)
    with limited():
        profile = open_images(place / "data").profile
    assert (profile.items, profile.n_skipped) == (1, 1)
    assert profile.skipped[0].reason


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_skipped_and_listed(detector, place, kind):
    data = good(place / "data", GOOD)
    cases = [HOSTILE[case] for case in HOSTILE if case.startswith(kind)]
    for k, (name, make) in enumerate(cases):
        (data / str(k)).mkdir()
        make(data / str(k) / name)
    done = detect(detector, place, data)
    assert done.code == 0, done.err
    listed = done.document["skipped"]
    assert {skip["path"].split("/")[0] for skip in listed} == {str(k) for k in range(len(cases))}
    assert all(skip["path"].isprintable() and skip["reason"].isprintable() and skip["reason"] for skip in listed)
    assert (done.document["items"], done.document["n_skipped"]) == (GOOD, len(cases))
    assert len(Path(done.document["scores"]).read_text().splitlines()) == GOOD


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_bad_images_is_refused_in_one_line(detector, place, kind):
    for k, (name, make) in enumerate(HOSTILE[case] for case in HOSTILE if case.startswith(kind)):
        (place / "data" / str(k)).mkdir()
        make(place / "data" / str(k) / name)
    done = detect(detector, place, place / "data")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert done.err[:-1].isprintable()
    assert str(place / "data") in done.document["error"]
    assert not (place / "out").exists()


def test_what_is_wrong_elsewhere_does_not_change_the_pixels(detector, place):
    for k, (name, content) in enumerate(SURVIVED.values()):
        (place / "data" / f"{k:02} {name}").write_bytes(content)
    data = open_images(place / "data")
    wrong = [case for i, case in enumerate(SURVIVED) if not np.array_equal(data.read(i), RGB)]
    assert wrong == []
    done = detect(detector, place, place / "data")
    assert (done.code, done.document["items"], done.document["skipped"]) == (0, len(SURVIVED), [])


def test_what_decoders_mend_is_scored(detector, place):
    for k, (name, content) in enumerate(MENDED.values()):
        (place / "data" / f"{k} {name}").write_bytes(content)
    done = detect(detector, place, place / "data")
    assert (done.code, done.document["items"]) == (0, len(MENDED))


def test_all_of_them_at_once_in_little_memory(detector, place):
    """A process of its own, so that a crash is one, and its memory can be measured."""
    good(place / "data", GOOD)
    for k, (name, make) in enumerate(HOSTILE.values()):
        (place / "data" / str(k)).mkdir()
        make(place / "data" / str(k) / name)
    command = [sys.executable, "-m", "agentad", "detect", detector, "--data", place / "data", "--out", place / "out"]
    with (place / "said").open("wb") as out, limited(3 * SECONDS):
        process = subprocess.Popen([*map(str, command), "--json"], stdout=out, stderr=subprocess.DEVNULL)
        try:
            _, status, used = os.wait4(process.pid, 0)
        except Hangs:
            process.kill()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10) < MOST_MB
    document = json.loads((place / "said").read_text())
    assert (document["items"], document["n_skipped"]) == (GOOD, len(HOSTILE))
    assert not [path for path in place.rglob("*") if path.name == CANARY]
