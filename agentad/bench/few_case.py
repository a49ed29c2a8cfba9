"""A table with a few anomalies to learn from, judged once by the unsupervised detector for all methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentad.bench.case import Case, Fitted
from agentad.bench.cost import timed
from agentad.bench.methods import fitted
from agentad.detectors.few_label import FewLabelHead
from agentad.detectors.judged import Judged
from agentad.modalities.items import Items
from agentad.modalities.table.rows import Rows
from agentad.steps.score import Scored
from agentad.tools.road import Indices


@dataclass(frozen=True)
class FewCase(Case):
    """A case without held-out test rows: what is learned from is not judged."""

    detector: Fitted
    """The unsupervised one of the plan."""
    normal: Judged
    """What is learned from, with held-out scores."""
    real: Judged
    """The anomalies to learn from, in the order in which they become known."""
    normal_rows: Rows
    real_rows: Rows
    """The same rows as cells."""
    said: tuple[Judged, ...]
    """`fresh`, as the detector judges it."""
    detector_s: float
    """CPU seconds of fitting the detector."""
    said_s: float
    """CPU seconds of judging `fresh` with it."""

    def first(self, k: int) -> Judged:
        """The first `k` anomalies to learn from."""
        return Judged(self.real.x[:k], self.real.scores.take(np.arange(k)))

    def unsupervised(self) -> Scored:
        """Scores of the judged rows without any label."""
        result = Scored.empty(self.test)
        for batch, said in zip(self.fresh, self.said, strict=True):
            result.put(batch.index, said.scores)
        return result

    def ranked(self, head: FewLabelHead) -> Scored:
        """Scores of the judged rows by a head that was taught."""
        result = Scored.empty(self.test)
        for batch, said in zip(self.fresh, self.said, strict=True):
            result.put(batch.index, head.score(said))
        return result


def drawn(items: Items, most: int, seed: int) -> Indices:
    """Positions of up to `most` anomalies in random order, no two of one group; fewer drawn are the first of more."""
    order = np.random.default_rng(seed).permutation(np.flatnonzero(items.label == 1))
    first = np.unique(items.group[order], return_index=True)[1]
    return np.asarray(order[np.sort(first)][:most])


def with_anomalies(case: Case, index: Indices) -> FewCase:
    """The case with the anomalies at `index` to learn from, in this order."""
    detector, detector_s = timed(lambda: fitted(case, case.plan.detector))
    said, said_s = timed(lambda: tuple(Judged(batch.x, detector.score(batch.x)) for batch in case.fresh))
    normal, real = (Rows(case.data.take(at), tuple(case.data.items.id[at])) for at in (case.train, index))
    x = case.encoder.encode(real.frame)
    return FewCase(
        **vars(case),
        detector=detector,
        normal=Judged(case.x, detector.held_out),
        real=Judged(x, detector.score(x)),
        normal_rows=normal,
        real_rows=real,
        said=said,
        detector_s=detector_s,
        said_s=said_s,
    )
