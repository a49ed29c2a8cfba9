from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentad import assets
from agentad.errors import Infeasible, InputError
from agentad.flow import Plan, Request, Step
from agentad.planning.recipes import describe, dump_plan, load_plan, load_recipe
from agentad.planning.rules import RulePlanner
from agentad.tools.cards import load_cards

BUILT_IN = sorted(path.stem for path in assets.built_in("recipes").glob("*.yaml"))

DETECTORS = ", ".join(n for n, card in load_cards().items() if card.kind == "detector" and "table" in card.modalities)


@pytest.fixture
def bare(asked) -> Request:
    return asked("")


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def odd_plan(text: str) -> Plan:
    step = Step(tool=text, params={text: text})
    return Plan(
        request=text, modality="table", training="normal", encoder=step, detector=step, assumptions=(text, text)
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
values = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts)
steps = st.builds(Step, tool=texts, params=st.dictionaries(texts, values, max_size=3), why=texts)
plans = st.builds(
    Plan,
    request=texts,
    encoder=steps,
    detector=steps,
    baselines=st.lists(steps, max_size=2).map(tuple),
    target_far=st.floats(0, 1, exclude_min=True, exclude_max=True),
    seed=st.integers(0, 2**63),
    assumptions=st.lists(texts, max_size=2).map(tuple),
    planner=texts,
)


@example(plan=odd_plan("\x85 \u2028\r\n \ufeff\x00"))
@example(plan=odd_plan("no"))
@example(plan=odd_plan("1_000: #"))
@settings(max_examples=40, deadline=None, derandomize=True)
@given(plan=plans)
def test_a_plan_is_read_back_equal(tmp_path_factory: pytest.TempPathFactory, plan: Plan):
    path = written(tmp_path_factory.mktemp("plan"), dump_plan(plan))
    assert load_plan(path).model_dump_json() == plan.model_dump_json()
    assert dump_plan(load_plan(path)) == dump_plan(plan)


@pytest.mark.parametrize("words", ["find odd rows", "0.5 % false alarms, no self-cleaning, they are all good"])
def test_a_plan_is_a_recipe_without_holes(cards, asked, bare, table, tmp_path: Path, words: str):
    plan = RulePlanner().plan(asked(words, seed=3), table(unlabelled=500), cards)
    path = written(tmp_path, dump_plan(plan))
    assert load_recipe(str(path), bare, table(unlabelled=500), cards) == plan


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_recipes_make_plans(cards, bare, table, images, name: str):
    recipe = yaml.safe_load(assets.read("recipes", f"{name}.yaml"))
    profiles = {"table": table, "image": images}
    wanted = recipe["modality"]
    for modality in profiles if wanted is None else [wanted]:
        plan = load_recipe(name, bare, profiles[modality](unlabelled=500), cards)
        _check_plan(plan, recipe, name)
    assert describe(assets.find("recipes", f"{name}.yaml")) == recipe["about"]
    if wanted is not None:
        other = {"table": images, "image": table}[wanted](unlabelled=500)
        with pytest.raises(InputError, match=rf"{name}\.yaml: "):
            load_recipe(name, bare, other, cards)


def _check_plan(plan: Plan, recipe: dict, name: str):
    assert (plan.request, plan.target_far, plan.planner) == (recipe["request"], recipe["target_far"], f"recipe {name}")
    assert [step.tool for step in plan.baselines] == ["memory-bank"]
    given = recipe.get("loop") or {}
    assert (plan.loop is not None) == bool(given)
    for field in ("rounds", "count", "shots", "metric"):
        if given.get(field) is not None:
            assert getattr(plan.loop, field) == given[field]


def test_without_shots_nothing_is_said_to_be_proven(cards, bare, images):
    marked = images(normal=100, anomalous=12)
    plan = load_recipe("zero-shot-defects", bare, marked, cards)
    assert (plan.loop.shots, plan.loop.generator.tool) == (0, "manipulated-normals")
    assert plan.assumptions[-1].endswith(
        "No real anomaly is learned from, so nothing can be proven to help: what is kept only does not harm normal "
        "items."
    )


@pytest.mark.parametrize("name", ["few-shot-defects", "zero-shot-defects", "rare-rows", "stress-test", "data-scarcity"])
def test_recipes_of_rounds_comment_every_field(name: str):
    lines = assets.read("recipes", f"{name}.yaml").splitlines()
    fields = [line for line in lines if line and not line.startswith("#")]
    spoken = ("about: ", "request: ", "loop:", "  generator:", "    tool:", "    why:")
    assert [line for line in fields if "#" not in line and not line.startswith(spoken)] == []


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_recipes_comment_their_fields(name: str):
    lines = assets.read("recipes", f"{name}.yaml").splitlines()
    assert lines[0].startswith("# ")
    assert any(line.startswith("about: ") for line in lines)


def test_holes_are_filled_from_the_data(cards, bare, table):
    for facts, detector in (({"unlabelled": 500}, "robust-fusion"), ({"normal": 500}, "closed-form-diffusion")):
        assert load_recipe("find-odd-rows", bare, table(**facts), cards).detector.tool == detector


def test_settings_for_a_tool_that_rules_choose(cards, bare, table, tmp_path: Path):
    path = written(tmp_path, "detector: {params: {neighbours: 9}}\nbaselines: []\n")
    request = bare.model_copy(update={"exclude": ("self-cleaning",)})
    plan = load_recipe(str(path), request, table(unlabelled=500), cards)
    assert (plan.detector.tool, plan.detector.params["neighbours"], plan.baselines) == ("memory-bank", 9, ())


def test_fields_are_replaced_with_their_types(cards, bare, table):
    changed = {
        "detector.tool": "memory-bank",
        "detector.params.neighbours": "7",
        "target_far": "0.05",
        "seed": "11",
        "request": "'1'",
    }
    plan = load_recipe("clean-table", bare, table(unlabelled=500), cards, settings=changed)
    assert plan.detector == Step(
        tool="memory-bank", params={"neighbours": 7, "size": 8000, "pool": 4, "coreset": False}
    )
    assert (plan.target_far, plan.seed, plan.request) == (0.05, 11, "1")


def test_options_win_over_the_recipe(cards, asked, table):
    request = asked("", target_far=0.2, seed=5, exclude=("self-cleaning",))
    plan = load_recipe("find-odd-rows", request, table(unlabelled=500), cards)
    assert (plan.target_far, plan.seed, plan.detector.tool) == (0.2, 5, "memory-bank")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("detektor: {tool: memory-bank}", "detektor: not a known key"),
        ("detector: {tool: memory-bank, param: {}}", "detector.param: not a known key"),
        ("target_far: 2", "target_far: Input should be less than 1, got 2"),
        (
            "detector: {tool: magic}",
            f"there is no tool 'magic'; the detectors for rows are: {DETECTORS}",
        ),
        ("modality: image", "modality is 'image', and the data is rows"),
        (
            "detector: {tool: memory-bank, params: {k: 1}}",
            "memory-bank has no parameter 'k'; it has: neighbours, size, pool, coreset",
        ),
        ("- a", "has to be YAML of `key: value` lines, with the fields of a plan"),
        ("version: 2", "version: Input should be 1, got 2"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_by_file(cards, bare, table, tmp_path: Path, text: str, complaint: str):
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_recipe(str(path), bare, table(unlabelled=500), cards)
    assert str(caught.value) == f"{path}: {complaint}"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("detector.colour", "red", "{path}: detector.colour: not a known key"),
        ("speed", "3", "{path}: speed: not a known key"),
        ("seed", "1.5", "{path}: seed: Input should be a valid integer, got a number with a fractional part, got 1.5"),
        ("request.text", "x", "request.text=x: request is not a group of fields; change it in the file"),
        ("seed", "[", None),
    ],
)
def test_what_is_wrong_with_a_replaced_field_is_said(cards, bare, table, name: str, value: str, complaint: str | None):
    with pytest.raises(InputError) as caught:
        load_recipe("find-odd-rows", bare, table(unlabelled=500), cards, settings={name: value})
    if complaint is None:
        assert str(caught.value).startswith("seed=[: not a YAML value: ")
    else:
        assert str(caught.value) == complaint.format(path=assets.find("recipes", "find-odd-rows.yaml"))


def test_yaml_tags_run_nothing(cards, bare, table, tmp_path: Path):
    path = written(tmp_path, "request: !!python/object/apply:os.getcwd []")
    with pytest.raises(
        InputError,
        match=r"line 1: the tag \S+os\.getcwd is not read here; leave it out$",
    ):
        load_recipe(str(path), bare, table(unlabelled=500), cards)


def test_an_unknown_recipe_is_named(cards, bare, table, tmp_path: Path):
    with pytest.raises(InputError, match=r"^recipes: there is no 'none.yaml' in "):
        load_recipe("none", bare, table(unlabelled=500), cards)
    with pytest.raises(InputError, match=r"none.yaml: cannot be read as YAML: .*No such file"):
        load_recipe(str(tmp_path / "none.yaml"), bare, table(unlabelled=500), cards)


def test_missing_weights_of_a_named_tool_are_refused(cards, bare, images, tmp_path: Path):
    path = written(tmp_path, "encoder: {tool: dinov2-small}")
    with pytest.raises(InputError) as caught:
        load_recipe(str(path), bare, images(normal=200), cards, available=())
    assert str(caught.value) == (
        f"{path}: dinov2-small needs the pretrained weights dinov2-small, and they are not on this machine"
    )


def test_a_hole_that_nothing_fills_is_infeasible(cards, bare, table):
    with pytest.raises(
        Infeasible, match=r"^no encoder can be used on /data/set.csv: table-encoder needs at least 2 rows"
    ):
        load_recipe("find-odd-rows", bare, table(unlabelled=1), cards)


def test_an_incomplete_plan_is_no_plan(tmp_path: Path):
    path = written(tmp_path, "request: x\nmodality: table\ntraining: normal\nencoder: {tool: table-encoder}\n")
    with pytest.raises(InputError) as caught:
        load_plan(path)
    assert str(caught.value) == f"{path}: detector: Field required"
