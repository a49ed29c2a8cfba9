"""Plans on disk, and recipes: plans with holes.

A recipe is YAML with the fields of a plan, all of them optional, and a line `about` that says which job it is for.
What is left out or null is a hole, which the rule planner fills from the data and the `request`. A plan is a recipe
without holes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from agentad import assets
from agentad.errors import InputError, PlanRejected
from agentad.flow import Constraint, DataProfile, Loop, Mix, Modality, Noun, Plan, Request, Step, Value
from agentad.llm.closed import closed
from agentad.planning.choose import baselines, choose
from agentad.planning.invention import about_loop, loop_of
from agentad.planning.rules import assumptions, training_of
from agentad.planning.situation import DEFAULT_FAR, Available, Cards, Kind, Situation, Training
from agentad.planning.validate import checked
from agentad.store.documents import LARGEST_YAML, parse_yaml, read_text


class RecipeStep(Noun):
    """A tool and its settings; without `tool`, settings for the tool that the rules choose."""

    tool: str | None = None
    params: dict[str, Value] = Field(default_factory=dict)
    why: str = ""


class RecipeLoop(Noun):
    """The loop of a plan with holes."""

    head: RecipeStep | None = None
    generator: RecipeStep | Literal[False] | None = None
    """False: nothing is invented, only real anomalies are learned from."""
    rounds: int | None = None
    count: int | None = None
    metric: Literal["auroc", "ap", "pixel_ap"] | None = None
    shots: int | None = None
    folds: int | None = None
    level: float | None = None
    verify: bool | None = None
    judge: str | None = None
    mix: Mix | None = None
    feedback: str | None = None
    conditions: tuple[Constraint, ...] | None = None
    seconds: float | None = None


class Recipe(Noun):
    """A plan with holes. None is a hole."""

    version: Literal[1] = 1
    about: str = ""
    """The job it is for."""
    request: str = ""
    intent: Literal["detect"] = "detect"
    modality: Modality | None = None
    training: Training | None = None
    encoder: RecipeStep | None = None
    detector: RecipeStep | None = None
    baselines: tuple[Step, ...] | None = None
    loop: RecipeLoop | Literal[False] | None = None
    """False: no rounds, whatever the words and the layout say."""
    target_far: float | None = Field(default=None, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)
    assumptions: tuple[str, ...] | None = None
    planner: str | None = None


def dump_plan(plan: Plan) -> str:
    """`plan` as YAML: the same plan is the same text, and `load_plan` reads it back equal."""
    facts = plan.model_dump(mode="json", exclude_none=True)
    text: str = yaml.dump(facts, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes texts with line breaks or control characters in double quotes; single quotes turn some into spaces."""


def _represent(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent)


def load_plan(path: Path) -> Plan:
    """The plan that `dump_plan` wrote to the file `path`.

    Raises:
        InputError: it is not a whole plan; the message names the file and the key.
    """
    return closed(Plan, _document(path), str(path))


def load_recipe(
    name: str,
    request: Request,
    profile: DataProfile,
    cards: Cards,
    *,
    available: Available = None,
    settings: Mapping[str, str] | None = None,
) -> Plan:
    """The recipe called `name`, or in the file `name`, with its holes filled for this data.

    Args:
        name: a name without `.yaml`, or a path.
        request: where the data is and what the options say. Its text, if any, replaces the recipe's `request`.
        profile: what is in the data.
        cards: the tools there are.
        available: names of the pretrained weights that can be had; None: all.
        settings: fields to replace, by dotted name, as YAML text: `{"detector.params.neighbours": "3"}`.

    Raises:
        InputError: an unknown recipe, key or tool, or one that does not fit the data; names the file.
        Infeasible: a hole that no tool can fill.
    """
    path = _path(name)
    recipe = closed(Recipe, _replaced(_document(path), settings or {}), str(path))
    asked = {"text": request.text or recipe.request, "seed": request.seed or recipe.seed}
    asked["target_far"] = recipe.target_far if request.target_far is None else request.target_far
    situation = Situation(request.model_copy(update=asked), profile, cards, available)
    try:
        return checked(_filled(recipe, situation, path.stem), situation)
    except PlanRejected as error:
        raise InputError(f"{path}: {error}") from error


def describe(path: Path) -> str:
    """The `about` line of the recipe in the file `path`."""
    return closed(Recipe, _document(path), str(path)).about


def _path(name: str) -> Path:
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return Path(name)
    return assets.find("recipes", f"{name}.yaml")


def _document(path: Path) -> dict[str, Any]:
    try:
        document = parse_yaml(read_text(path, LARGEST_YAML))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: has to be YAML of `key: value` lines, with the fields of a plan")
    return document


def _replaced(document: dict[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """`document` with fields replaced. Another tool starts from its own defaults."""
    for name, text in settings.items():
        *parents, last = name.split(".")
        place = document
        for parent in parents:
            if place.get(parent) is None:
                place[parent] = {}
            place = place[parent]
            if not isinstance(place, dict):
                raise InputError(f"{name}={text}: {parent} is not a group of fields; change it in the file")
        try:
            place[last] = parse_yaml(text)
        except ValueError as error:
            raise InputError(f"{name}={text}: not a YAML value: {' '.join(str(error).split())}") from error
        if last == "tool":
            place.pop("params", None)
            place.pop("why", None)
    return document


def _filled(recipe: Recipe, situation: Situation, name: str) -> Plan:
    training = recipe.training or training_of(situation)
    encoder = _step("encoder", recipe.encoder, situation, training)
    detector = _step("detector", recipe.detector, situation, training)
    target = situation.wanted_far
    loop, about = _loop(recipe.loop, situation, training)
    said = (*assumptions(situation, training, target, situation.wishes.normal), *about)
    return Plan(
        request=situation.request.text or recipe.about,
        modality=recipe.modality or situation.profile.modality,
        training=training,
        encoder=encoder,
        detector=detector,
        baselines=baselines(situation, training, detector) if recipe.baselines is None else recipe.baselines,
        loop=loop,
        target_far=DEFAULT_FAR if target is None else target,
        seed=situation.request.seed,
        assumptions=said if recipe.assumptions is None else recipe.assumptions,
        planner=recipe.planner or f"recipe {name}",
    )


def _loop(
    given: RecipeLoop | Literal[False] | None, situation: Situation, training: Training
) -> tuple[Loop | None, tuple[str, ...]]:
    if given is False:
        return None, ()
    if given is None:
        return loop_of(situation, training)
    own = given.model_dump(exclude_none=True, exclude={"head", "generator"})
    generator = None if given.generator is False else _step("generator", given.generator, situation, training)
    loop = Loop(head=_step("head", given.head, situation, training), generator=generator, **own)
    return loop, (about_loop(loop, situation),)


def _step(kind: Kind, step: RecipeStep | None, situation: Situation, training: Training) -> Step:
    if step is None or step.tool is None:
        chosen = choose(kind, situation, training)
        own = step or RecipeStep()
        return chosen.model_copy(update={"params": {**chosen.params, **own.params}, "why": own.why or chosen.why})
    return Step(tool=step.tool, params=step.params, why=step.why)
