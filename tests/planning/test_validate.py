import pytest

from agentad.errors import PlanRejected
from agentad.flow import Plan, Step
from agentad.planning.rules import RulePlanner
from agentad.planning.validate import validate
from agentad.tools.cards import load_cards


@pytest.fixture
def plan(cards, asked, table) -> Plan:
    return RulePlanner().plan(asked(), table(unlabelled=500), cards)


def test_parameters_are_written_in(cards, asked, table, plan):
    bare = plan.model_copy(update={"detector": Step(tool="memory-bank", params={"neighbours": 3}), "baselines": ()})
    found = validate(bare, asked(), table(unlabelled=500), cards)
    assert found.detector.params == {"neighbours": 3, "size": 8000, "pool": 4, "coreset": False}
    assert validate(found, asked(), table(unlabelled=500), cards) == found


DETECTORS = ", ".join(n for n, card in load_cards().items() if card.kind == "detector" and "table" in card.modalities)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"modality": "image"}, "modality is 'image', and the data is rows"),
        ({"target_far": 0.5}, "target_far is 0.5, and the user wants 0.02"),
        ({"seed": 8}, "seed is 8, and the user wants 7"),
        ({"detector": Step(tool="magic")}, f"there is no tool 'magic'; the detectors for rows are: {DETECTORS}"),
        (
            {"detector": Step(tool="table-encoder")},
            f"table-encoder is of kind encoder; the detectors for rows are: {DETECTORS}",
        ),
        (
            {"encoder": Step(tool="patch-filters")},
            "patch-filters is not for rows; the encoders for them are: table-encoder",
        ),
        (
            {"detector": Step(tool="empirical-denoiser")},
            "empirical-denoiser needs training data that is normal, and this is contaminated",
        ),
        (
            {"baselines": (Step(tool="memory-bank", params={"neighbours": 0}),)},
            "memory-bank.neighbours = 0: has to lie between 1 and 100",
        ),
        (
            {"detector": Step(tool="self-cleaning", params={"magic": 1})},
            "self-cleaning has no parameter 'magic'; it has: references, keep",
        ),
        (
            {"baselines": (Step(tool="robust-fusion"),)},
            "robust-fusion stands twice among detector and baselines; each method runs once",
        ),
    ],
)
def test_what_does_not_fit_is_rejected_with_the_reason(cards, asked, table, plan, change, complaint):
    request = asked("odd rows, 2 % false alarms", seed=7)
    good = plan.model_copy(update={"target_far": 0.02, "seed": 7})
    assert validate(good, request, table(unlabelled=500), cards) == good
    with pytest.raises(PlanRejected) as caught:
        validate(good.model_copy(update=change), request, table(unlabelled=500), cards)
    assert str(caught.value) == complaint


def test_excluded_tools_are_rejected_wherever_the_user_named_them(cards, asked, table, plan):
    for request in (asked(exclude=("self-cleaning",)), asked("do not use self-cleaning")):
        with pytest.raises(PlanRejected) as caught:
            validate(plan, request, table(unlabelled=500), cards)
        assert str(caught.value) == (
            "robust-fusion is excluded by the user; the detectors left are: "
            + DETECTORS.replace(", robust-fusion", "").removesuffix(", self-cleaning")
        )


def test_missing_weights_and_items_are_rejected(cards, asked, images):
    plan = RulePlanner().plan(asked(), images(normal=200), cards)
    with pytest.raises(PlanRejected) as caught:
        validate(plan, asked(), images(normal=200), cards, available=())
    assert str(caught.value) == (
        "dinov2-lite needs the pretrained weights dinov2-small and efficientnet-lite0, and they are not on this machine"
    )
    with pytest.raises(PlanRejected) as caught:
        validate(plan, asked(), images(normal=1), cards)
    assert str(caught.value) == "bank-diffusion needs at least 2 images to learn from, and there is 1"


def test_a_detector_gets_the_encoder_its_card_names(cards, asked, images):
    profile = images(normal=50, anomalous=5)
    plan = RulePlanner().plan(asked(), profile, cards)
    wanted = plan.model_copy(update={"detector": Step(tool="reconstruction")})
    found = validate(wanted, asked(), profile, cards)
    assert found.detector.encoder == Step(tool="pixels", params={"size": 64})
    assert found.encoder == plan.encoder  # what the baseline sees
    assert all(step.encoder is None for step in found.baselines)
    larger = Step(tool="reconstruction", encoder=Step(tool="pixels", params={"size": 128}))
    own = validate(plan.model_copy(update={"detector": larger}), asked(), profile, cards).detector.encoder
    assert own == Step(tool="pixels", params={"size": 128})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"detector": Step(tool="reconstruction", encoder=Step(tool="patch-filters"))},
            "reconstruction works on the encoder pixels, not on patch-filters",
        ),
        (
            {"detector": Step(tool="feature-diffusion", encoder=Step(tool="pixels"))},
            "feature-diffusion works on the plan's encoder; leave out its own, pixels",
        ),
        (
            {"detector": Step(tool="zero-shot-clip")},
            "zero-shot-clip needs the setting model: Folder of a CLIP or SigLIP model with safetensors, or its hub id "
            "with the commit, owner/name@commit.",
        ),
    ],
)
def test_an_encoder_that_does_not_go_with_a_detector_is_rejected(cards, asked, images, change, complaint):
    profile = images(normal=50, anomalous=5)
    plan = RulePlanner().plan(asked(), profile, cards)
    with pytest.raises(PlanRejected) as caught:
        validate(plan.model_copy(update=change), asked(), profile, cards)
    assert str(caught.value) == complaint


def test_what_gives_no_features_is_no_encoder_of_a_plan(cards, asked, images):
    profile = images(normal=50)
    plan = RulePlanner().plan(asked(), profile, cards)
    with pytest.raises(PlanRejected, match=r"^pixels gives no features; the encoders for images are: "):
        validate(plan.model_copy(update={"encoder": Step(tool="pixels")}), asked(), profile, cards)
