import os

import pytest

from agentad.errors import UnreadableData
from agentad.store.address import address, stat_fingerprint


def test_address_ignores_key_order_and_sees_everything_else():
    assert address({"a": 1, "b": 2}) == address({"b": 2, "a": 1})
    assert len({address(1), address("1"), address([1]), address(1, 1)}) == 4


def test_fingerprint_sees_names_sizes_and_times_but_not_reading(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("x")
    os.utime(file, (1, 1))
    first = stat_fingerprint(tmp_path)
    file.read_text()
    assert stat_fingerprint(tmp_path) == first
    os.utime(file, (2, 2))
    assert stat_fingerprint(tmp_path) != first


def test_fingerprint_does_not_follow_a_loop(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    assert stat_fingerprint(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(UnreadableData) as error:
        stat_fingerprint(tmp_path / "no")
    assert str(error.value) == f"{tmp_path / 'no'}: no such file or folder; check the path given with --data"
