"""Tensors out of a file that `torch.save` wrote in its first format (torch < 1.6), without unpickling anything.

Such a file is five pickles (a magic number, the protocol, the machine, the dictionary of tensors, the storages' keys)
and then the raw bytes of each storage. `pickletools` parses opcodes and never executes one; the few that dictionaries
of tensors consist of are followed here by hand, and anything else is refused, so that a file can cause no call.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.errors import UnreadableData

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES: dict[str, np.dtype[Any]] = {"torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8")}
_DICTIONARY, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_ATOMS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


@dataclass(frozen=True)
class _Global:
    """A name that the file asks for; none is ever looked up."""

    name: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    values: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """Values from one entry to the next along each axis."""


def read_tensors(content: bytes) -> dict[str, NDArray[Any]]:
    """Float32 and int64 tensors by name, read-only views of `content`.

    Raises:
        UnreadableData: the bytes are not such a file, are cut short, or hold anything but a dictionary of tensors.
    """
    file = io.BytesIO(content)
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes in damaged names
            magic, protocol, _, tensors, keys = (_value(file) for _ in range(5))
        if (magic, protocol) != (_MAGIC, _PROTOCOL) or not isinstance(tensors, dict):
            raise ValueError("it does not start as one")
        named = {name: t for name, t in tensors.items() if isinstance(name, str) and isinstance(t, _Tensor)}
        if len(named) != len(tensors):
            raise ValueError("its dictionary holds other things than tensors")
        at = _places(content, file.tell(), keys, {t.storage.key: t.storage for t in named.values()})
        return {name: _array(content, tensor, at[tensor.storage.key]) for name, tensor in named.items()}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnreadableData(f"torch file: not a dictionary of tensors in torch's first format ({error})") from error


def _places(content: bytes, start: int, keys: Any, storages: dict[str, _Storage]) -> dict[str, int]:
    """Where each storage's bytes begin: a storage is its number of values (int64), then the values."""
    places: dict[str, int] = {}
    for key in keys:
        storage = storages[key]
        if int.from_bytes(content[start : start + 8], "little") != storage.values:
            raise ValueError(f"cut short or damaged at storage {key}")
        places[key] = start + 8
        start += 8 + storage.values * storage.dtype.itemsize
    if start != len(content):
        raise ValueError(f"{len(content)} bytes, and {start} were expected")
    return places


def _array(content: bytes, tensor: _Tensor, start: int) -> NDArray[Any]:
    storage, size = tensor.storage, tensor.storage.dtype.itemsize
    last = tensor.start + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if last >= storage.values:
        raise ValueError("a tensor reaches beyond its storage")
    values = np.frombuffer(content, storage.dtype, storage.values, start)[tensor.start :]
    return np.lib.stride_tricks.as_strided(values, tensor.shape, [size * s for s in tensor.strides], writeable=False)


def _value(file: io.BytesIO) -> Any:
    """The one value that the next pickle describes: numbers, texts, tuples, lists, dictionaries, `_Tensor`s."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in _ATOMS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "GLOBAL":
            stack.append(_Global(argument))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "STOP":
            return stack.pop()
        elif name != "PROTO":
            _combine(name, stack)
    raise ValueError("a description does not end")


def _combine(name: str, stack: list[Any]) -> None:
    """The opcodes that make one thing of several on the stack."""
    if name == "MARK":
        stack.append(_MARK)
    elif name == "EMPTY_TUPLE":
        stack.append(())
    elif name == "EMPTY_DICT":
        stack.append({})
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in _SHORT_TUPLES:
        count = _SHORT_TUPLES[name]
        stack[-count:] = [tuple(stack[-count:])]
    elif name == "SETITEM":
        value, key = stack.pop(), stack.pop()
        stack[-1][key] = value
    elif name == "SETITEMS":
        values = _since_mark(stack)
        stack[-1].update(zip(values[::2], values[1::2], strict=True))
    elif name == "APPENDS":
        values = _since_mark(stack)
        stack[-1].extend(values)
    elif name == "REDUCE":
        arguments, what = stack.pop(), stack.pop()
        stack.append(_built(what, arguments))
    elif name == "BUILD":
        stack.pop()  # attributes of the dictionary, such as torch's `_metadata`: not needed
    else:
        raise ValueError(f"opcode {name} has no place in one")


def _since_mark(stack: list[Any]) -> list[Any]:
    at = next(i for i in range(len(stack) - 1, -2, -1) if i < 0 or stack[i] is _MARK)
    if at < 0:
        raise ValueError("an opcode lacks its mark")
    values = stack[at + 1 :]
    del stack[at:]
    return values


def _storage(what: Any) -> _Storage:
    kind, storage_type, key, _, values, view = what
    if kind != "storage" or view is not None or not isinstance(storage_type, _Global):
        raise ValueError("a persistent id is of no storage")
    if storage_type.name not in _DTYPES:
        raise ValueError(f"{storage_type.name} is not float32 or int64")
    return _Storage(key, _DTYPES[storage_type.name], values)


def _built(what: Any, arguments: Any) -> Any:
    if what == _Global(_DICTIONARY) and arguments == ():
        return {}
    if what != _Global(_TENSOR):
        raise ValueError(f"it asks for {what.name if isinstance(what, _Global) else 'something'}, which is not called")
    storage, start, shape, strides = arguments[:4]
    if not isinstance(storage, _Storage) or min((start, *strides)) < 0 or min(shape, default=1) < 1:
        raise ValueError("a tensor is described wrongly")
    return _Tensor(storage, start, shape, strides)
