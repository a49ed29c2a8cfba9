import inspect
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from agentad import assets
from agentad.errors import InputError, PlanRejected
from agentad.flow import ToolCard
from agentad.tools import cards as module
from agentad.tools.cards import check_params, load_cards, read_card, resolve

NAMES = [
    "bank-diffusion",
    "closed-form-diffusion",
    "denoising-reconstruction",
    "diffusion-time",
    "diffusion-time-np",
    "dinov2-base",
    "dinov2-large",
    "dinov2-lite",
    "dinov2-small",
    "dinov3-base",
    "dinov3-small",
    "efficientnet-lite0",
    "empirical-denoiser",
    "feature-diffusion",
    "few-label-head",
    "few-shot-bank",
    "flow-likelihood",
    "gaussian-mixture",
    "gaussian-rows",
    "guided-rows",
    "inpainting-diffusion",
    "isolation-forest",
    "latent-inpainting",
    "local-outlier-factor",
    "local-score-diffusion",
    "lora-head",
    "mahalanobis",
    "manipulated-normals",
    "masked-diffusion",
    "memory-bank",
    "neighbour-rows",
    "patch-filters",
    "patch-head",
    "pixel-blocks",
    "pixels",
    "pyod",
    "reconstruction",
    "residual-paste",
    "robust-fusion",
    "score-norm",
    "self-cleaning",
    "siglip2-base",
    "smote-rows",
    "table-encoder",
    "template-diffusion",
    "template-distance",
    "transplanted-rows",
    "uniform-rows",
    "zero-shot-clip",
]

CARD = """---
name: mine
kind: detector
modalities: [table]
summary: A tool.
entry: agentad.detectors.memory_bank:MemoryBank
best_for: [tables]
cost: little
params:
  k: {type: int, default: 5, low: 1, high: 9, help: Neighbours.}
  side: {type: int, default: 28, multiple_of: 14, help: Side.}
  c: {type: float, default: 0.3, low: 0, help: Bandwidth.}
  mode: {type: str, default: fast, choices: [fast, good], help: How.}
  deep: {type: bool, default: false, help: Whether.}
---
Some prose.
"""


def written(folder: Path, text: str = CARD, name: str = "mine") -> Path:
    path = folder / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def card(tmp_path: Path) -> ToolCard:
    return read_card(written(tmp_path))


def test_built_in_cards_are_sorted_by_name():
    built_in = {path.stem for path in assets.built_in("tools").glob("*.md")}
    assert sorted(built_in) == NAMES
    assert [name for name in load_cards() if name in built_in] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_entry_takes_the_parameters_of_its_card(name: str):
    found = read_card(assets.built_in("tools") / f"{name}.md")
    signature = inspect.signature(resolve(found)).parameters
    assert {p.kind for p in signature.values()} <= {inspect.Parameter.KEYWORD_ONLY}
    assert {n: p.default for n, p in signature.items()} == {n: p.default for n, p in found.params.items()}


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_tools_of_the_same_kind(name: str):
    cards = load_cards()
    assert {cards[part].kind for part in cards[name].parts} <= {cards[name].kind}


def test_a_card_is_front_matter_and_prose(card: ToolCard):
    assert (card.name, card.body, list(card.params)) == ("mine", "Some prose.", ["k", "side", "c", "mode", "deep"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("kind: detector", "kind: detector\nspeed: high"), "speed: not a known key"),
        (("cost: little\n", ""), "cost: Field required"),
        (
            ("kind: detector", "kind: painter"),
            "kind: Input should be 'encoder', 'detector', 'generator' or 'head', got 'painter'",
        ),
        (("name: mine", "name: yours"), "name is 'yours'; a card is called like its file, 'mine'"),
        (
            ("cost: little", "body: little\ncost: little"),
            "body: not a known key; write the prose below the front matter",
        ),
        (("default: 5", "default: 50"), "a default is not allowed: mine.k = 50: has to lie between 1 and 9"),
        (("---\nname", "name"), "a tool card starts with YAML between two lines of `---`"),
        (("name: mine", "- mine\n#"), None),
        (("agentad.detectors.memory_bank:MemoryBank", "agentad"), "entry 'agentad' is not `package.module:Class`"),
        (
            ("agentad.detectors.memory_bank:MemoryBank", "agentad.detectors:__class__"),
            "entry 'agentad.detectors:__class__' is not `package.module:Class`",
        ),
        (
            ("agentad.detectors.memory_bank:MemoryBank", "os.path:join"),
            "entry 'os.path:join' is outside agentad; a package offers tools by registering the entry-point group "
            "'agentad.tools'",
        ),
        (
            ("agentad.detectors.memory_bank:MemoryBank", "agentad_evil.x:Tool"),
            "entry 'agentad_evil.x:Tool' is outside agentad; a package offers tools by registering the "
            "entry-point group 'agentad.tools'",
        ),
    ],
)
def test_a_malformed_card_is_refused_by_file(tmp_path: Path, change: tuple[str, str], complaint: str | None):
    path = written(tmp_path, CARD.replace(*change, 1))
    with pytest.raises(InputError) as caught:
        read_card(path)
    if complaint is None:
        assert str(caught.value).startswith(f"{path}: the front matter is not YAML: ")
    else:
        assert str(caught.value) == f"{path}: {complaint}"


def test_a_card_that_is_not_text_is_refused_by_file(tmp_path: Path):
    path = tmp_path / "mine.md"
    path.write_bytes(b"---\n\xff\xfe\n---\n")
    with pytest.raises(InputError, match=f"^{path}: cannot be read as a tool card: 'utf-8' codec"):
        read_card(path)


def test_yaml_tags_run_nothing(tmp_path: Path):
    path = written(tmp_path, CARD.replace("A tool.", "!!python/object/apply:os.getcwd []"))
    with pytest.raises(
        InputError,
        match=r"line 4: the tag \S+os\.getcwd is not read here; leave it out$",
    ):
        read_card(path)


def test_the_users_own_card_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = tmp_path / ".agentad" / "tools"
    own.mkdir(parents=True)
    text = (assets.built_in("tools") / "memory-bank.md").read_text(encoding="utf-8")
    written(own, text.replace("default: 8000", "default: 50"), "memory-bank")
    written(own)
    monkeypatch.chdir(tmp_path)
    cards = load_cards()
    assert cards["memory-bank"].params["size"].default == 50
    assert list(cards) == sorted([*NAMES, "mine"])


def test_registered_packages_bring_cards_and_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "other_tools"
    package.mkdir()
    (package / "__init__.py").write_text("class Tool:\n    fit = score = state = restore = None\n")
    written(package, CARD.replace("agentad.detectors.memory_bank:MemoryBank", "other_tools.inner:Tool"))
    (package / "inner.py").write_text("from other_tools import Tool\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("other", "other_tools", module.GROUP)
    monkeypatch.setattr(module, "entry_points", lambda group: [point] if group == module.GROUP else [])
    assert resolve(load_cards()["mine"]).__name__ == "Tool"


def test_a_registered_package_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch):
    point = EntryPoint("other", "gone_tools.cards", module.GROUP)
    monkeypatch.setattr(module, "entry_points", lambda group: [point])
    with pytest.raises(InputError) as caught:
        load_cards()
    assert str(caught.value) == (
        "agentad.tools entry point other: No module named 'gone_tools'; reinstall the package that registers it"
    )


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("agentad.nowhere:Tool", "agentad.nowhere:Tool cannot be imported: No module named 'agentad.nowhere'"),
        (
            "agentad.errors:Tool",
            "agentad.errors:Tool cannot be imported: module 'agentad.errors' has no attribute 'Tool'",
        ),
        ("agentad.assets:find", "agentad.assets:find is not a class that can fit, score, state, restore"),
        (
            "agentad.store.runs:RunFolder",
            "agentad.store.runs:RunFolder is not a class that can fit, score, state, restore",
        ),
    ],
)
def test_resolve_names_what_is_missing(card: ToolCard, entry: str, complaint: str):
    with pytest.raises(InputError) as caught:
        resolve(card.model_copy(update={"entry": entry}))
    assert str(caught.value) == f"tool mine: {complaint}"


def test_params_are_completed_in_the_cards_order(card: ToolCard):
    completed = check_params(card, {"mode": "good", "c": 1})
    assert list(completed.items()) == [("k", 5), ("side", 28), ("c", 1.0), ("mode", "good"), ("deep", False)]
    assert isinstance(completed["c"], float)


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"j": 1}, "mine has no parameter 'j'; it has: k, side, c, mode, deep"),
        ({"k": 5.0}, "mine.k = 5.0: has to be of type int"),
        ({"k": True}, "mine.k = True: has to be of type int"),
        ({"k": "5"}, "mine.k = '5': has to be of type int"),
        ({"deep": 1}, "mine.deep = 1: has to be of type bool"),
        ({"k": 0}, "mine.k = 0: has to lie between 1 and 9"),
        ({"side": 30}, "mine.side = 30: has to be a multiple of 14"),
        ({"c": -0.1}, "mine.c = -0.1: has to lie between 0 and inf"),
        ({"c": float("nan")}, "mine.c = nan: has to lie between 0 and inf"),
        ({"c": float("inf")}, "mine.c = inf: has to lie between 0 and inf"),
        ({"mode": "best"}, "mine.mode = 'best': has to be one of fast, good"),
    ],
)
def test_params_out_of_line_are_rejected(card: ToolCard, params: dict, complaint: str):
    with pytest.raises(PlanRejected) as caught:
        check_params(card, params)
    assert str(caught.value) == complaint
