import io
from collections import OrderedDict

import numpy as np
import pytest
import torch
from tiny_torch_file import torch_file

from agentad.backbones.torch_file import read_tensors
from agentad.errors import UnreadableData


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    wide = torch.randn(3, 4)
    return OrderedDict(
        {
            "a.weight": torch.randn(2, 3, 5, 5),
            "turned": wide.T,
            "part": wide[1:],
            "count": torch.tensor(7),
            "one": torch.ones(1),
        }
    )


def test_tensors_come_out_as_they_went_in(tensors):
    found = read_tensors(torch_file(tensors))
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].dtype == tensor.numpy().dtype


class Harmful:
    ran = False

    def __reduce__(self):
        return (setattr, (Harmful, "ran", True))


def test_nothing_in_a_file_is_called():
    with pytest.raises(UnreadableData, match=r"it asks for (__builtin__|builtins) setattr, which is not called"):
        read_tensors(torch_file({"a": Harmful()}))
    assert not Harmful.ran


@pytest.mark.parametrize("keep", [0, 3, 40, 200, -1])
def test_a_file_cut_short_is_an_error(tensors, keep):
    with pytest.raises(UnreadableData, match="torch file: not a dictionary of tensors in torch's first format"):
        read_tensors(torch_file(tensors)[:keep])


@pytest.mark.parametrize(
    "content", [{"a": 1}, {1: torch.ones(2)}, [torch.ones(2)], {"a": torch.ones(2, dtype=torch.float64)}]
)
def test_anything_but_named_tensors_is_refused(content):
    with pytest.raises(UnreadableData):
        read_tensors(torch_file(content))


def test_the_newer_format_is_refused():
    file = io.BytesIO()
    torch.save({"a": torch.ones(2)}, file)
    with pytest.raises(UnreadableData):
        read_tensors(file.getvalue())


def test_damage_is_an_error_or_other_numbers_and_never_a_crash(tensors):
    content = torch_file(tensors)
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] = rng.integers(256)
        try:
            found = read_tensors(bytes(damaged))
        except UnreadableData:
            continue
        for array in found.values():
            assert np.asarray(array).sum() is not None
