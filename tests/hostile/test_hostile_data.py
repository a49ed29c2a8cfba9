"""Broken tables and images through the front door: an error that names the file, or skipped, counted and listed."""

import os
import shutil
import tempfile
from pathlib import Path

import broken_images
import broken_tables
import pytest
from front_door import Outcome, call, tree

from agentad import assets

REQUEST = "what looks wrong?"
TABLES = ["--exclude", "self-cleaning", "--exclude", "empirical-denoiser", "--json"]
IMAGES = ["--exclude", "bank-diffusion", "--exclude", "feature-diffusion", "--json"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch, no_weights):
    """Started from an empty folder, with data in another."""
    for name in ("data", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def run(place: Path, path: Path, *options: str) -> Outcome:
    """`agentad run`, which may write below its runs folder only."""
    elsewhere = (place / "runs", place / "config")  # a plotting library makes its configuration folder when imported
    before = tree(place, *elsewhere)
    done = call("run", REQUEST, f"--data={os.fspath(path)}", *options)
    assert tree(place, *elsewhere) == before
    assert "Traceback" not in done.err + done.out
    return done


def refused(done: Outcome, code: int, named: str) -> None:
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == 1
    assert done.err[:-1].isprintable()
    assert named in done.err
    assert done.document == {"error": done.err.removeprefix("error: ").removesuffix("\n"), "exit_code": code}


def used(done: Outcome, skipped: int) -> None:
    assert done.code == 0, done.err
    report = done.document
    lines = Path(report["dir"], "scores.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == report["items"]
    assert report["profile"]["n_skipped"] == len(report["profile"]["skipped"]) == skipped
    assert all(skip["reason"] and skip["path"].isprintable() for skip in report["profile"]["skipped"])


@pytest.mark.parametrize("case", broken_tables.REFUSED)
def test_a_table_that_cannot_be_used(place, case):
    make, code, named = broken_tables.REFUSED[case]
    refused(run(place, make(place / "data"), *TABLES), code, named)


@pytest.mark.parametrize("case", broken_tables.USABLE)
def test_a_table_with_surprises(place, case):
    make, skipped = broken_tables.USABLE[case]
    used(run(place, make(place / "data"), *TABLES), skipped)


@pytest.mark.parametrize("case", broken_images.BROKEN)
def test_a_broken_image_alone(place, case):
    name, make = broken_images.BROKEN[case]
    make(place / "data" / name)
    refused(run(place, place / "data", *IMAGES), 2, str(place / "data"))


@pytest.mark.parametrize("case", broken_images.BROKEN)
def test_a_broken_image_beside_good_ones(place, case):
    name, make = broken_images.BROKEN[case]
    make(broken_images.good(place / "data") / name)
    before = tree(place)
    done = call("plan", REQUEST, "--data", place / "data", *IMAGES)
    assert done.code == 0, done.err
    assert tree(place) == before
    from agentad import profile

    found = profile(place / "data")
    assert (found.items, found.n_skipped, len(found.skipped)) == (4, 1, 1)
    assert found.skipped[0].path.isprintable()
    assert found.skipped[0].reason


@pytest.mark.parametrize("case", broken_images.USABLE)
def test_a_folder_of_images_with_surprises(place, case):
    fill, skipped = broken_images.USABLE[case]
    fill(place / "data")
    used(run(place, place / "data", *IMAGES), skipped)


def test_one_image_is_too_few(place):
    broken_images.picture(place / "data" / "one.png")
    refused(run(place, place / "data", *IMAGES), 3, str(place / "data"))


def test_two_copies_of_one_image_are_too_few(place):
    for name in ("a.png", "b.png"):
        broken_images.picture(place / "data" / name)
    refused(run(place, place / "data", *IMAGES), 3, str(place / "data"))


@pytest.fixture
def stranger():
    """A folder of another user's, and this process as a user without rights; the test's own rights come back."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0
    yield folder, lambda: os.seteuid(65534) if root else None
    if root:
        os.seteuid(0)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights of this kind are POSIX's")
@pytest.mark.parametrize("what", ["table", "folder", "folder of images", "runs"])
def test_no_permission(what, stranger, monkeypatch):
    folder, become = stranger
    monkeypatch.setenv("AGENTAD_CACHE", str(folder / "cache"))
    monkeypatch.setenv("AGENTAD_RUNS", str(folder / ("runs" if what == "runs" else "data")))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.chdir(folder)
    call("run", REQUEST, "--data", folder / "none.csv")  # what is imported first is read by the user who may
    if what == "folder of images":
        broken_images.good(folder / "data")
        data, locked = folder / "data", folder / "data"
    else:
        (folder / "data").mkdir()
        data = broken_tables.file("rows.csv", broken_tables.table(broken_tables.GOOD))(folder / "data")
        locked = {"table": data, "folder": folder / "data", "runs": folder}[what]
    locked.chmod(0o555 if what == "runs" else 0o000)
    become()
    if not os.access(assets.built_in("tools"), os.R_OK, effective_ids=True):
        pytest.skip("agentad is installed where only its owner may read, so no other user can run it")
    done = call("run", REQUEST, "--data", data, "--json")
    refused(done, 2, str(folder))
