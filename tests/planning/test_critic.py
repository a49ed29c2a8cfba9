import pytest

from agentad.errors import InputError
from agentad.flow import Request, Spot
from agentad.planning import make
from agentad.planning.chat_critic import ChatCritic
from agentad.planning.critic import RulesCritic
from agentad.planning.strategies import Review


def _review(missed=3, flagged=1, **more):
    spots = (
        Spot(by="type", value="dent", items=5, wrong=missed),
        Spot(by="size", value="small", items=2, wrong=min(missed, 2)),
        Spot(by="size", value="large", items=3, wrong=0),
        Spot(by="normals", value="", items=40, wrong=flagged),
    )
    return Review(**{"spots": spots, "kinds": ("dent",), **more})


def test_the_mix_says_why():
    found = RulesCritic().advise(_review())
    assert found.why == "By confusion: 3 of 5 real anomalies are missed and 1 of 40 normal items flagged."
    assert (found.mix.why, found.critic) == (found.why, "rules")
    assert any(portion.brief.size == (0.0005, 0.005) for portion in found.mix.portions)


def test_before_the_first_round_there_is_a_mix_too():
    found = RulesCritic("even").advise(Review(kinds=("dent", "hole")))
    assert [portion.brief.kind for portion in found.mix.portions] == ["dent", "hole"]
    assert found.why == "By even: nothing is known of misses yet."


@pytest.mark.parametrize(
    ("review", "why"),
    [
        (
            _review(missed=0, flagged=0),
            "No real anomaly is missed and no normal item is flagged: there is nothing left to make.",
        ),
        (_review(adopted=(True, False, False), made=10), "The last 2 rounds were not adopted."),
        (
            _review(adopted=(True,), made=0, rejected={"realism": 30}),
            "Nothing that was made in the last round passed the verifiers.",
        ),
    ],
)
def test_it_stops(review, why):
    found = RulesCritic().advise(review)
    assert (found.mix, found.why) == (None, why)


@pytest.mark.parametrize("adopted", [(), (False,), (False, True), (False, False, True), (False, True, False)])
def test_it_goes_on_while_rounds_are_adopted_now_and_then(adopted):
    assert RulesCritic().advise(_review(adopted=adopted, made=10)).mix is not None


@pytest.mark.parametrize(
    ("verifier", "remark"),
    [
        ("visibility", "; most samples could not be seen, so none is made fainter."),
        ("placement", "; most samples were in the wrong place, so places are left free."),
        ("realism", "; most samples were rejected, so sizes, places and strengths are left as in real defects."),
    ],
)
def test_rejections_are_heeded(verifier, remark):
    spots = (
        *_review().spots,
        Spot(by="place", value="edge", items=2, wrong=2),
        Spot(by="place", value="centre", items=3, wrong=1),
        Spot(by="strength", value="faint", items=2, wrong=2),
        Spot(by="strength", value="strong", items=3, wrong=1),
    )
    calm = RulesCritic().advise(_review(spots=spots, made=10, rejected={verifier: 9}))
    heeded = RulesCritic().advise(_review(spots=spots, made=10, rejected={verifier: 11}))
    assert heeded.why == calm.why[:-1] + remark
    briefs = [portion.brief for portion in heeded.mix.portions]
    before = [portion.brief for portion in calm.mix.portions]
    assert len(briefs) == len(before)
    assert (0.5, 1.0) in [brief.strength for brief in before]
    assert "edge" in [brief.place for brief in before]
    if verifier == "visibility":
        assert {brief.strength for brief in briefs} == {(1.0, 1.5)}
        assert [brief.size for brief in briefs] == [brief.size for brief in before]
    elif verifier == "placement":
        assert {brief.place for brief in briefs} == {None}
        assert [brief.strength for brief in briefs] == [brief.strength for brief in before]
    else:
        assert {(brief.size, brief.place, brief.strength) for brief in briefs} == {(None, None, (1.0, 1.0))}


def test_an_unknown_strategy_is_refused():
    with pytest.raises(InputError) as caught:
        RulesCritic("boundary")
    assert str(caught.value) == (
        "critic 'boundary': there is no such strategy; give one of confusion, coverage, even, feature-gap, "
        "hard-normals, random"
    )


def test_who_looks_back_at_a_round_is_who_planned(monkeypatch):
    monkeypatch.setattr(make, "_chat", lambda name: None)
    asked = Request(text="", data="/data")
    assert isinstance(make.critic_for(asked, "even"), RulesCritic)
    assert isinstance(make.critic_for(asked.model_copy(update={"planner": "replay:x.jsonl"}), "even"), RulesCritic)
    assert isinstance(make.critic_for(asked.model_copy(update={"planner": "openai:gpt-5"}), "even"), ChatCritic)
