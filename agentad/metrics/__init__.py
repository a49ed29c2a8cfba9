"""Metrics, thin over well-kept libraries. Higher score = more anomalous, everywhere."""

from agentad.metrics.evaluate import evaluate
from agentad.metrics.intervals import Intervals, bootstrap
from agentad.metrics.pixels import Tally, count_pixels, tally
from agentad.metrics.ranking import ap, auroc, by_type, f1max
from agentad.metrics.segmentation import PixelCounts, aupro, pixel_ap, pixel_auroc

__all__ = [
    "Intervals",
    "PixelCounts",
    "Tally",
    "ap",
    "aupro",
    "auroc",
    "bootstrap",
    "by_type",
    "count_pixels",
    "evaluate",
    "f1max",
    "pixel_ap",
    "pixel_auroc",
    "tally",
]
