"""A vision-language model as one verifier among others: asked with a rubric, believed as far as it was right before."""

from __future__ import annotations

import base64
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, ValidationError

from agentad.detectors.base import Floats
from agentad.flow.base import Noun
from agentad.llm.closed import complaints
from agentad.llm.prompts import quote, render
from agentad.llm.structured import Chat, Message, Reply
from agentad.modalities.image.draw import outline, png_bytes, thumbnail
from agentad.modalities.shown import shown
from agentad.verifiers.base import Candidates, Fault, Good, Mask, Pixels

SIDE = 512
"""Longest side of a picture that is sent, in pixels."""
REASON = 200
GIVE_UP = 3
"""Failures in a row after which a model is not asked again."""
_WITHOUT, _WITH, _OUTLINED = (
    "a normal one",
    "the one in question",
    "the one in question with the place outlined in cyan",
)

Answer = Literal["yes", "no", "unsure"]


def _short(reason: object) -> object:
    return shown(reason)[:REASON] if isinstance(reason, str) else reason


class Opinion(Noun):
    """What is seen at the outlined place."""

    visible: Answer
    mask_fits: Answer
    realistic: Answer
    type_fits: Answer
    reason: Annotated[str, BeforeValidator(_short), Field(max_length=REASON)] = ""


class Judge:
    """Asks `chat`, a multimodal model, for an `Opinion` of each item.

    The value is the share of `yes` among the answers that are not `unsure`, 0 to 1, higher = better; whether the type
    fits counts only where one is claimed. It abstains where every answer is `unsure`, where the model fails, answers
    late or answers something else, on empty masks and on rows. After `GIVE_UP` failures in a row it asks no more; make
    another judge to try again.

    Args:
        chat: any model that sees pictures, such as `ModelChat` of a LangChain model.
    """

    name = "judge"
    checks = "what a vision-language model says"
    catches: tuple[Fault, ...] = ("invisible", "misplaced", "mismatched", "loose", "outside", "garbage", "mistyped")
    good: tuple[Good, ...] = ("real", "made")
    costly = True
    reasons: tuple[str, ...] = ()
    """Of each item that was measured last: the model's reason, or why there is no answer."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._normal: Pixels | None = None
        self._failures = [0]  # in a row; copies of this judge count on, so that a dead server is not tried for hours

    def fit(self, normal: Candidates, real: Candidates, *, seed: int = 0) -> Self:
        """Take a normal image to show beside items whose base is not known."""
        if normal.images:
            self._normal = normal.images[int(np.random.default_rng(seed).integers(len(normal.images)))]
        return self

    def measure(self, items: Candidates) -> Floats:
        """(n,) 0 to 1."""
        values, reasons = np.full(len(items), np.nan), [""] * len(items)
        for i in range(len(items)):
            if items.images is None or items.masks is None or not items.masks[i].any():
                continue
            if self._failures[0] == GIVE_UP:
                reasons[i] = f"not asked: {self._chat.name} failed {GIVE_UP} times in a row"
                continue
            kind = str(items.kind[i])
            base = self._normal if items.bases is None else items.bases[i]
            reply = self._chat.ask(Opinion.model_json_schema(), question(items.images[i], items.masks[i], base, kind))
            values[i], reasons[i] = _read(reply, claimed=bool(kind))
            self._failures[0] = self._failures[0] + 1 if reply.error is not None else 0
        self.reasons = tuple(reasons)
        return values


def question(image: Pixels, mask: Mask, base: Pixels | None, kind: str) -> list[Message]:
    """The rubric, and the pictures of one item: a normal one if there is any, the item, the item with its outline."""
    marked = outline(image, mask)
    pictures = {_WITH: image, _OUTLINED: marked} if base is None else {_WITHOUT: base, _WITH: image, _OUTLINED: marked}
    told = "\n".join(f"{number}. {what}" for number, what in enumerate(pictures, 1))
    return [
        Message(role="system", text=render("verifier/rubric.md", pictures=told)),
        Message(
            role="human",
            text=render("verifier/sample.md", kind=quote(kind or None)),
            pictures=tuple(_encoded(picture) for picture in pictures.values()),
        ),
    ]


def _encoded(image: Pixels) -> str:
    return base64.b64encode(png_bytes(thumbnail(image, SIDE))).decode("ascii")


def _read(reply: Reply, *, claimed: bool) -> tuple[float, str]:
    """The value and the reason."""
    if reply.error is not None:
        return np.nan, shown(reply.error)[:REASON]
    try:
        opinion = Opinion.model_validate(reply.document)
    except ValidationError as error:
        said = complaints(error) if reply.document is not None else "not one JSON document"
        return np.nan, shown(f"no usable answer: {said}")[:REASON]
    answers = [opinion.visible, opinion.mask_fits, opinion.realistic, *([opinion.type_fits] if claimed else [])]
    sure = [answer == "yes" for answer in answers if answer != "unsure"]
    return (sum(sure) / len(sure) if sure else np.nan), opinion.reason
