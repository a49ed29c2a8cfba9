"""Measuring methods over folders of data sets, every baseline in the same run: the twin of `agentad bench`."""

from agentad.bench.gate import bench_gate
from agentad.bench.images import bench_images
from agentad.bench.loop import bench_loop
from agentad.bench.tables import bench_tables

__all__ = ["bench_gate", "bench_images", "bench_loop", "bench_tables"]
