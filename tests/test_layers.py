"""Imports point one way, heavy libraries stay in their rooms."""

import ast
from pathlib import Path

import pytest

import agentad

ROOT = Path(agentad.__file__).parent
ROOMS = [
    "errors",
    "assets",
    "flow",
    "store",
    "backbones",
    "modalities",
    "metrics",
    "memory",
    "diffusion",
    "llm",
    "detectors",
    "generators",
    "verifiers",
    "tools",
    "exported",
    "planning",
    "report",
    "loop",
    "steps",
    "graph",
    "api",
    "scarcity",
    "demo",
    "bench",
    "cli",
    "__main__",
]
HOMES = {
    "langchain": {"llm", "tools", "planning", "graph"},
    "langchain_core": {"llm", "tools", "planning", "graph"},
    "langchain_openai": {"llm"},
    "langgraph": {"graph"},
    "torch": {"backbones", "diffusion", "detectors", "exported", "cli"},
    "onnx": {"exported"},
    "onnxruntime": {"exported"},
    "onnxscript": {"exported"},
    "transformers": {"backbones"},
    "diffusers": {"diffusion"},
    "accelerate": {"diffusion", "backbones"},
    "peft": {"diffusion", "backbones"},
    "faiss": {"memory", "detectors"},
    "polars": {"modalities"},
    "pyarrow": {"modalities"},
    "pyod": {"detectors", "bench"},
    "PIL": {"modalities", "backbones", "demo"},
    "pickle": set(),
    "joblib": set(),
}


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "agentad" else [node.module]
            )
    return found


def _modules() -> list[tuple[str, Path]]:
    return [(path.relative_to(ROOT).parts[0].removesuffix(".py"), path) for path in sorted(ROOT.rglob("*.py"))]


def test_every_room_is_known():
    assert {room for room, _ in _modules()} - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_before_it(room):
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for own, path in _modules()
        if own == room
        for name in _imports(path)
        if name.startswith("agentad.") and name.split(".")[1] not in allowed and (ROOT / name.split(".")[1]).exists()
    ]
    assert wrong == []


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_in_its_rooms(library):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for room, path in _modules()
        for name in _imports(path)
        if name.split(".")[0] == library and room not in HOMES[library]
    ]
    assert wrong == []


def test_nothing_unpickles_or_executes():
    wrong = []
    for _, path in _modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                allows = any(k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords)
                if name in {"eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load"} or allows:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert wrong == []
