"""Torch's first file format, written by hand: torch itself can still write it, with a private switch."""

import io

import torch


def torch_file(tensors):
    """Bytes of a dictionary of tensors as torch < 1.6 saved it."""
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=False)
    return file.getvalue()
