"""Source columns count about alike, however many columns each is encoded in.

Detectors that compare rows by distance put every encoded column in units of its spread. A category with thirty levels
then counts as thirty numbers do, and what is wrong with a number drowns. So the unit of encoded column j is widened:

    scale_j · √l_j · f_j^¼

- l_j: the levels that its category has, 1 for a number. A row has one of them, so together they count as one column.
- f_j: the numbers and categories, flags among them, that its source column became. Each may be odd alone, as the hour
  of a date is, so they count for more than one column, √f in all, and for less than one column each.

Only columns that varied in training count. One that never did keeps its unit: the encoder chose what stands in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.detectors.robust import Scaling, scalings
from agentad.modalities.table.layout import Layout


def fair_scalings(x: Floats, layout: Layout | None) -> tuple[Scaling, Scaling]:
    """The two `scalings` of the rows x (n, d), widened; as they are without a layout."""
    mean, median = scalings(x)
    if layout is None:
        return mean, median
    wider = widening(x, layout)
    return Scaling(mean.centre, mean.scale * wider), Scaling(median.centre, median.scale * wider)


def widening(x: Floats, layout: Layout) -> NDArray[np.float64]:
    """(d,) what the units of encoded columns are multiplied by: 1 for a source column that is one number."""
    varies = np.asarray(x.min(axis=0) < x.max(axis=0))
    levels = np.ones(len(varies))
    of_category = varies & (layout.category >= 0)
    levels[of_category] = np.bincount(layout.category[of_category])[layout.category[of_category]]
    things = np.bincount(layout.source, varies / levels)[layout.source]  # a category's levels sum to 1
    return np.where(varies, np.sqrt(levels) * np.maximum(things, 1) ** 0.25, 1.0)
