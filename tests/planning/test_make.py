from pathlib import Path

import pytest

from agentad.errors import InputError
from agentad.llm import models
from agentad.llm.scripted import ScriptedChat
from agentad.planning import make_plan
from agentad.planning.rules import RulePlanner

DRAFT = {
    "intent": "detect",
    "training": "contaminated",
    "encoder": {"tool": "table-encoder"},
    "detector": {"tool": "memory-bank"},
}


@pytest.mark.parametrize("planner", ["auto", "rules"])
def test_rules_plan_and_record_nothing(cards, asked, table, tmp_path: Path, planner: str):
    request, record = asked(planner=planner), tmp_path / "exchanges.jsonl"
    plan = make_plan(request, table(unlabelled=500), cards, record=record)
    assert plan == RulePlanner().plan(request, table(unlabelled=500), cards)
    assert not record.exists()


def test_a_model_plans_by_id_and_its_record_plans_again(cards, asked, table, tmp_path: Path, monkeypatch):
    model = ScriptedChat(replies=[DRAFT])
    monkeypatch.setattr(models, "chat_model", lambda name: model)
    record = tmp_path / "exchanges.jsonl"
    url = "http://me:secret@localhost:1/v1"
    plan = make_plan(asked(planner=url), table(unlabelled=500), cards, record=record)
    assert (plan.planner, plan.detector.tool) == ("http://localhost:1/v1", "memory-bank")
    assert "secret" not in record.read_text(encoding="utf-8")
    again = make_plan(asked(planner=f"replay:{record}"), table(unlabelled=500), cards)
    assert again == plan


def test_available_weights_reach_the_planner(cards, asked, images):
    plan = make_plan(asked(), images(normal=200), cards, available=())
    assert plan.encoder.tool == "patch-filters"


def test_an_unknown_planner_is_refused(cards, asked, table):
    with pytest.raises(InputError) as caught:
        make_plan(asked(planner="magic"), table(unlabelled=500), cards)
    assert str(caught.value) == (
        "'magic' is not a chat model; give provider:model, such as openai:gpt-5, or a URL ending in /v1"
    )
