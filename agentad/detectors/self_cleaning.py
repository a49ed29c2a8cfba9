"""Neighbour distances to the rows that survive cleaning: for training data that may hold anomalies.

Under each of two scalings of the columns (mean and standard deviation; median and interquartile range):

1. A first score: the mean, over 50 random subsamples of 128 rows, of the distance to the nearest row of the subsample.
   Few anomalies enter any one subsample, so they cannot vouch for each other.
2. Three times: keep the 70 % of rows with the lowest scores; score every row by its mean distance to the thirty nearest
   kept rows, a kept row leaving out itself (and its group).

    score = Σ over scalings of (distance − median) / (95 % quantile − median)

with the statistics of all training rows. A column's contribution is its part of the mean distance, mean_i (x_j − x_ij)² /
‖x − x_i‖ over the neighbours i: contributions sum to the score up to a constant. The expected row is the average of the
kept neighbours, each weighted as the empirical denoiser does.

Subsampled nearest neighbours: Sugiyama and Borgwardt 2013, https://papers.nips.cc/paper/5127. Trimming follows the
concentration step of robust estimators (Rousseeuw and Van Driessen 1999).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.empirical_denoiser import kernel, typical_distance
from agentad.detectors.robust import Scaling, centre_and_spread, scalings
from agentad.errors import InputError
from agentad.memory.neighbours import Neighbours

SUBSAMPLES, SUBSAMPLE = 50, 128
NEAREST = 30
ROUNDS = 3
_BATCH_VALUES = 1 << 19


class SelfCleaning:
    pass
