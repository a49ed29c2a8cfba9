"""A data set ready for the loop: one fitted detector, and all items that may be learned from or judged, encoded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agentad.bench.case import Case
from agentad.bench.cost import timed
from agentad.detectors.base import Floats
from agentad.detectors.judged import Judged
from agentad.errors import Infeasible
from agentad.flow import Loop
from agentad.loop.workshop import Workshop, workshop
from agentad.modalities.shots import set_apart
from agentad.modalities.split import Split
from agentad.tools.fitted import FittedDetector, encode_copies, fit
from agentad.tools.road import Indices, Progress, road, silent


@dataclass(frozen=True)
class LoopCase(Case):
    """A case whose `test` items leave out what is learned from, and everything of its groups."""

    fitted: FittedDetector
    """The unsupervised detector of the plan."""
    pool: Indices
    """(p,) sorted positions of the items that are not learned from as normal: those judged, and the known anomalies."""
    said: Judged
    """`pool`, as the detector judges it."""
    learnable: NDArray[np.bool_]
    """(n,) which of the data's items can be learned from, if anomalous."""
    detector_s: float
    """CPU seconds of fitting the detector."""
    said_s: float
    """CPU seconds of judging `pool` with it."""
    workshops: dict[str, Workshop] = field(default_factory=dict, repr=False)
    """By what decides them."""

    def known(self, shots: int) -> Indices:
        """Sorted positions of so many anomalies of each type to learn from; fewer are some of more."""
        return self._apart(shots).known

    def without(self, shots: int, least: int) -> Indices:
        """Positions of what is judged where so many are learned from.

        Raises:
            Infeasible: fewer than `least` anomalies are left.
        """
        test = self._apart(shots).test
        left = int((self.data.items.label[test] == 1).sum())
        if left < least or not (self.data.items.label[test] == 0).any():
            raise Infeasible(
                f"{left} anomalies are left to judge where {shots} of each type are learned from; {least} are needed, "
                "and normal items"
            )
        return test

    def _apart(self, shots: int) -> Split:
        split = Split(self.train, self.pool, self.pool)
        return set_apart(split, self.data.items, shots=shots, seed=self.plan.seed, learnable=self.learnable)

    def judged(self) -> Judged:
        """The `test` items, as the detector judges them."""
        return self.said.take(np.searchsorted(self.pool, self.test))

    def encode(self, index: Indices) -> Floats:
        """Items that have been encoded before; all of them learned from as normal, or none."""
        learned = bool(np.isin(index, self.train).all())
        at = np.searchsorted(self.train if learned else self.pool, index)
        return (self.x if learned else self.said.x)[at]

    def workshop(self, loop: Loop, shots: int, progress: Progress = silent) -> Workshop:
        """The loop's workshop for so many known anomalies of each type."""
        key = f"{shots} {loop.generator} {loop.verify} {loop.conditions}"
        if key not in self.workshops:
            self.workshops[key] = workshop(
                self.plan.modality,
                loop,
                self.fitted,
                self.data,
                (self.train, self.fitted.scorer.held_out),
                self.known(shots),
                seed=self.plan.seed,
                progress=progress,
                encode=self.encode,
            )
        return self.workshops[key]


def with_detector(case: Case) -> LoopCase:
    """The case with its detector fitted and all that is not learned from judged by it."""
    step = case.plan.detector

    def taught() -> FittedDetector:
        copies = encode_copies(case.plan, step, case.encoder, case.data, case.train)
        return fit(case.plan, step, case.encoder, case.x, case.items, copies=copies)

    fitted, detector_s = timed(taught)
    index = np.concatenate([batch.index for batch in case.fresh])
    x = np.concatenate([batch.x for batch in case.fresh])
    scores, said_s = timed(lambda: fitted.scorer.score(x))
    own = {name: value for name, value in vars(case).items() if name not in ("fresh", "others")}
    return LoopCase(
        **own,
        fresh=(),
        fitted=fitted,
        pool=index,
        said=Judged(x, scores, group=case.data.items.group[index]),
        learnable=road(case.plan.modality).learnable(case.data),
        detector_s=detector_s,
        said_s=said_s,
    )
