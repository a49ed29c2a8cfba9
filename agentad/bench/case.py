"""One data set, split and encoded once, so that every method sees the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from agentad.bench.cost import forget_peak, timed
from agentad.detectors.base import Floats, Ints, Scores
from agentad.flow import DataProfile, Plan, Request, Step
from agentad.modalities.items import Items
from agentad.planning import RulePlanner
from agentad.planning.situation import Available
from agentad.steps.peak import peak_mb
from agentad.steps.score import Scored
from agentad.tools.cards import load_cards
from agentad.tools.fitted import encode_sample
from agentad.tools.road import Batch, Indices, Progress, road, silent


@dataclass(frozen=True)
class Fitted:
    """A method that has learned."""

    held_out: Scores
    """Of the items it learned from, each judged by the others where the method can."""
    score: Callable[[Floats], Scores]


@dataclass(frozen=True)
class Learned:
    """A method that has learned from a case and can judge it."""

    scored: Callable[[], Scored]
    """Scores of the judged items."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds of parts of the learning, for methods that tell."""


@dataclass(frozen=True)
class Case:
    """A data set ready for any method."""

    plan: Plan
    """What the rule planner would do with it."""
    data: Any
    encoder: Any
    train: Indices
    """(n,) sorted positions of the items that are learned from."""
    x: Floats
    """(n, …) these, encoded."""
    test: Indices
    """(m,) sorted positions of the items that are judged."""
    fresh: tuple[Batch, ...]
    """Judged items that are not learned from, encoded."""
    used: int
    """How many items were split into those two. Of many to learn from, `train` is a sample."""
    learn_s: float
    """CPU seconds of fitting the encoder and encoding `train`."""
    encode_s: float
    """CPU seconds of reading and encoding `fresh`."""
    peak_mb: float = field(default=0.0, kw_only=True)
    """Most memory the process held meanwhile."""
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    """What was left out of the split or added to it."""
    others: dict[str, Case] = field(default_factory=dict, repr=False, kw_only=True)
    """The same data through other encoders, by their settings."""

    @property
    def items(self) -> Items:
        """(n,) what is learned from."""
        return self.data.items.take(self.train)  # type: ignore[no-any-return]

    @property
    def labels(self) -> Ints:
        """(m,) of the judged items; for metrics and nothing else."""
        return np.asarray(self.data.items.label[self.test])

    def seen_through(self, encoder: Step) -> Case:
        """The case through the encoder that a method needs, encoded once."""
        if encoder == self.plan.encoder:
            return self
        plan, key = self.plan.model_copy(update={"encoder": encoder}), encoder.model_dump_json()
        if key not in self.others:
            self.others[key] = encoded(plan, self.data, self.train, self.test, silent)
        return replace(self.others[key], plan=plan)

    def scored(self, fitted: Fitted) -> Scored:
        """Scores of the judged items: held-out ones where they were learned from, as on the road."""
        result = Scored.empty(self.test)
        known = np.intersect1d(self.test, self.train)
        if len(known):
            result.put(known, fitted.held_out.take(np.searchsorted(self.train, known)))
        for batch in self.fresh:
            result.put(batch.index, fitted.score(batch.x))
        return result


def planned(data: Any, profile: DataProfile, seed: int, available: Available = None) -> Plan:
    """The rule planner's plan for `data`, described by `profile`, from a request without words."""
    request = Request(text="", data=data.profile.root, seed=seed)
    return RulePlanner(available).plan(request, profile, load_cards())


def encoded(plan: Plan, data: Any, train: Indices, test: Indices, progress: Progress) -> Case:
    """The case of learning from `train` and judging `test`; at most the road's `FIT_ITEMS` are learned from."""
    forget_peak()
    (encoder, sample, x), learn_s = timed(lambda: encode_sample(plan, data, train, progress))
    rest = np.setdiff1d(test, sample)
    batches = road(plan.modality).batches(encoder, data, rest)
    fresh, encode_s = timed(lambda: tuple(Batch(batch.index, None, batch.x) for batch in batches))
    used, peak = len(np.union1d(train, test)), round(peak_mb(), 1)
    return Case(plan, data, encoder, sample, x, test, fresh, used, learn_s, encode_s, peak_mb=peak)
