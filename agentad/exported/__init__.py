"""Detectors for elsewhere: an image detector as one ONNX graph, from the pixels of an image to a flag and a map.

Modules that make an export need torch, onnx and onnxscript; `load` needs onnxruntime alone.
"""
