"""What a plan has to fit: the request, the data, the tools there are, and what follows from these."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Literal

from agentad.errors import Infeasible, InputError
from agentad.flow import DataProfile, Request, ToolCard, Value
from agentad.planning.words import Wishes, read_wishes

Cards = Mapping[str, ToolCard]
Available = Collection[str] | None
"""Names of the pretrained weights that are on this machine; None: all of them can be had."""
Training = Literal["normal", "contaminated"]
Kind = Literal["encoder", "detector", "generator", "head"]

DEFAULT_FAR = 0.01
ENOUGH_NORMAL = 20
"""Known normals that are worth learning from alone, although there are unlabelled items as well."""
FEW_IMAGES = 8
"""Normal images up to which altered copies of them are learned from as well."""
_MORE_THAN_NUMBERS = ("categorical", "datetime", "text")
_GREY = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F"})
"""Modes of images without colour."""
_ITEMS = {"table": "rows", "image": "images"}


@dataclass(frozen=True)
class Situation:
    """The request before the data. Facts come from `profile`, wishes from `request`."""

    request: Request
    profile: DataProfile
    cards: Cards
    available: Available = None

    @property
    def items(self) -> str:
        """What one thing to be scored is called, in the plural."""
        return _ITEMS[self.profile.modality]

    @cached_property
    def wishes(self) -> Wishes:
        """What rules read in the words."""
        return read_wishes(self.request.text, self.cards)

    @cached_property
    def excluded(self) -> tuple[str, ...]:
        """Tools the user does not want, from options and words, and those made of them, sorted.

        Raises:
            InputError: an option names a tool that does not exist.
        """
        unknown = sorted(set(self.request.exclude) - set(self.cards))
        if unknown:
            known = ", ".join(self.cards)
            raise InputError(f"cannot exclude {', '.join(map(repr, unknown))}: no such tool. There are: {known}")
        named = {*self.request.exclude, *self.wishes.exclude}
        return tuple(sorted(named | {card.name for card in self.cards.values() if named & set(card.parts)}))

    @property
    def wanted_far(self) -> float | None:
        """The false-alarm rate the user named; an option wins over words."""
        return self.wishes.target_far if self.request.target_far is None else self.request.target_far

    @property
    def paired(self) -> bool:
        """Whether every image comes with a template to be compared with."""
        image = self.profile.image
        return image is not None and image.pairs == self.profile.items

    @property
    def coloured(self) -> bool:
        """Whether some images have colours rather than grey values."""
        image = self.profile.image
        return image is not None and bool(set(image.modes) - _GREY)

    @property
    def known_normal(self) -> bool:
        """Whether labels or the layout say which items are normal, for enough of them.

        Raises:
            Infeasible: every item is labelled anomalous.
        """
        facts = self.profile
        if facts.items and facts.anomalous == facts.items and self.paired:
            return False  # what is normal is known from the templates
        if facts.items and facts.anomalous == facts.items:
            raise Infeasible(
                f"{facts.root}: all {facts.items} {self.items} are labelled anomalous, and a detector learns from "
                f"normal ones; add normal {self.items}, or drop the labels if they are wrong"
            )
        return facts.normal >= ENOUGH_NORMAL or (facts.normal > 0 and facts.unlabelled == 0)

    @property
    def mixed(self) -> bool:
        """Whether a table has columns that are more than numbers: categories, moments, texts."""
        table = self.profile.table
        return table is not None and any(column.kind in _MORE_THAN_NUMBERS for column in table.columns)

    @property
    def shown_anomalies(self) -> int:
        """Labelled anomalies that can be learned from: images only with masks."""
        image = self.profile.image
        return self.profile.anomalous if image is None else min(self.profile.anomalous, image.masks)

    def learnable(self, training: Training) -> int:
        """How many items there are to learn from."""
        if training == "contaminated":
            return self.profile.items
        return self.profile.normal if self.known_normal else self.profile.normal + self.profile.unlabelled

    def shots(self, training: Training) -> int:
        """How many items the split leaves to learn from."""
        facts = self.profile
        if training == "contaminated" or not self.known_normal:
            return self.learnable(training)
        if facts.given_normal:
            return facts.given_normal
        return (facts.normal + 1) // 2 if facts.anomalous else facts.normal

    def few(self, training: Training) -> bool:
        """Whether there are so few normal images that altered copies of them are worth having."""
        known = self.profile.modality == "image" and training == "normal" and not self.paired
        return known and self.shots(training) <= FEW_IMAGES

    def offered(self, kind: Kind) -> list[ToolCard]:
        """Tools for this modality that the user did not exclude, by name; no encoder that gives the data as it is."""
        fitting = (
            card
            for card in self.cards.values()
            if card.kind == kind and self.profile.modality in card.modalities and not card.raw
        )
        return [
            card for card in fitting if card.name not in self.excluded and (self.paired or "template" not in card.uses)
        ]

    def usable(self, kind: Kind) -> list[ToolCard]:
        """The tools `offered` that the data allows, whatever it is assumed to be, without settings by the user."""
        assumed: tuple[Training, ...] = ("normal", "contaminated")
        found = [card for card in self.offered(kind) if any(self.unmet(card, training) is None for training in assumed)]
        return [card for card in found if self.unset(card, {}) is None]

    def unset(self, card: ToolCard, params: Mapping[str, Value]) -> str | None:
        """What the user would have to set before the tool can be used, or None. Empty counts as not set."""
        names = [name for name in card.requires.settings if not params.get(name, card.params[name].default)]
        said = "; ".join(f"{card.name} needs the setting {name}: {card.params[name].help}" for name in names)
        return said or None

    def has_weights(self, card: ToolCard) -> bool:
        """Whether the pretrained weights that the tool needs, if any, are on this machine."""
        return not self.missing_weights(card)

    def missing_weights(self, card: ToolCard) -> list[str]:
        """The pretrained weights that the tool needs and this machine lacks, as far as is known."""
        return [name for name in card.requires.weights if self.available is not None and name not in self.available]

    def unmet(self, card: ToolCard, training: Training) -> str | None:
        """Why the data or this machine does not allow the tool, or None."""
        needs = card.requires
        if "template" in card.uses and not self.paired:
            return f"{card.name} compares each {self.items[:-1]} with its template, and here are no such pairs"
        if training not in needs.training:
            return f"{card.name} needs training data that is {' or '.join(needs.training)}, and this is {training}"
        there = self.shots(training) if self.few(training) else self.learnable(training)
        if there < needs.items:
            return f"{card.name} needs at least {needs.items} {self.items} to learn from, and there {_are(there)}"
        if self.shown_anomalies < needs.anomalies:
            there = self.shown_anomalies
            return f"{card.name} needs labelled anomalies (at least {needs.anomalies}), and there {_are(there)}"
        if not self.has_weights(card):
            missing = " and ".join(self.missing_weights(card))
            return f"{card.name} needs the pretrained weights {missing}, and they are not on this machine"
        if needs.package is not None and find_spec(needs.package) is None:
            way_out = f"pip install 'agentad[{needs.package}]'"
            return f"{card.name} needs the package {needs.package}, and it is not installed (`{way_out}`)"
        return None


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"
