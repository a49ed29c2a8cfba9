import pytest

from agentad.errors import Infeasible, InputError
from agentad.flow import Column, Plan, Step
from agentad.planning.choose import choose
from agentad.planning.rules import RulePlanner
from agentad.planning.situation import Situation
from agentad.tools.cards import check_params

BANK = {"neighbours": 5, "size": 8000, "pool": 4, "coreset": False}
WHY_BASELINE = "The baseline: run beside the detector, which has to earn its place."


def test_unlabelled_table_is_contaminated(cards, asked, table):
    assert RulePlanner().plan(asked("find odd rows"), table(unlabelled=500), cards) == Plan(
        request="find odd rows",
        modality="table",
        training="contaminated",
        encoder=Step(
            tool="table-encoder",
            params=check_params(cards["table-encoder"], {}),
            why="Best for tables of numbers, categories, dates, free text and missing values, mixed as they come.",
        ),
        detector=Step(
            tool="robust-fusion",
            params=check_params(cards["robust-fusion"], {}),
            why="500 rows to learn from, and some of them may be anomalies. Best for tables that may hide anomalies, "
            "of which nothing is labelled.",
        ),
        baselines=(Step(tool="memory-bank", params=BANK, why=WHY_BASELINE),),
        assumptions=(
            "No rows are known to be normal: most of the 500 are assumed to be, and the others to differ from "
            "each other.",
            "No false-alarm rate was named: 1 % of normal rows may be flagged.",
        ),
        planner="rules",
    )


@pytest.mark.parametrize("facts", [{"normal": 300, "anomalous": 9}, {"normal": 20, "unlabelled": 400}, {"normal": 5}])
def test_known_normals_are_learned_from(cards, asked, table, facts):
    plan = RulePlanner().plan(asked(), table(**facts), cards)
    assert (plan.training, plan.detector.tool) == ("normal", "closed-form-diffusion")
    assert plan.detector.why == (
        f"{facts['normal']} rows to learn from are known to be normal. Best for tables whose training rows are "
        "known to be normal."
    )
    assert plan.assumptions == ("No false-alarm rate was named: 1 % of normal rows may be flagged.",)


def test_a_few_known_normals_among_many_are_not_enough(cards, asked, table):
    plan = RulePlanner().plan(asked("1 % false alarms"), table(normal=3, unlabelled=400), cards)
    assert (plan.training, plan.detector.tool) == ("contaminated", "robust-fusion")
    assert plan.assumptions == (
        "Only 3 rows are known to be normal: most of the 403 are assumed to be, and the others to differ from "
        "each other.",
    )


def test_words_can_say_that_all_is_normal(cards, asked, table):
    plan = RulePlanner().plan(asked("These are all good rows. 0.5 % false alarms"), table(unlabelled=500), cards)
    assert (plan.training, plan.detector.tool, plan.target_far) == ("normal", "closed-form-diffusion", 0.005)
    assert plan.assumptions == (
        "You say that the data is normal (“these are all good”): an anomaly among the 500 rows is learned as normal.",
    )


@pytest.mark.parametrize(
    ("facts", "training"), [({"normal": 200, "anomalous": 40}, "normal"), ({"unlabelled": 200}, "contaminated")]
)
def test_images_take_the_fusion(cards, asked, images, facts, training):
    plan = RulePlanner().plan(asked(), images(**facts), cards)
    assert (plan.training, plan.encoder.tool, plan.detector.tool) == (training, "dinov2-lite", "bank-diffusion")
    assert [step.tool for step in plan.baselines] == ["memory-bank"]


def test_the_baseline_on_images_is_set_as_its_card_says(cards, asked, images):
    plan = RulePlanner().plan(asked(), images(normal=200), cards)
    assert plan.baselines[0].params == {name: param.default for name, param in cards["memory-bank"].params.items()}


def test_missing_weights_are_said_aloud(cards, asked, images):
    plan = RulePlanner(available=[]).plan(asked("1 % false alarms"), images(normal=200), cards)
    assert plan.encoder.tool == "patch-filters"
    assert plan.assumptions == (
        "dinov2-lite needs the pretrained weights dinov2-small and efficientnet-lite0, and they are not on this "
        "machine: a simpler encoder stands in. To get them: `agentad models pull dinov2-small` and `agentad models "
        "pull efficientnet-lite0`.",
    )


def test_the_small_network_stands_in_and_other_weights_are_not_spoken_of(cards, asked, images):
    plan = RulePlanner(available=["efficientnet-lite0"]).plan(asked("1 % false alarms"), images(normal=200), cards)
    assert plan.encoder.tool == "efficientnet-lite0"
    assert len(plan.assumptions) == 1
    assert plan.assumptions[0].startswith("dinov2-lite needs the pretrained weights dinov2-small")


@pytest.mark.parametrize(
    ("exclude", "detector", "baselines"),
    [
        (("bank-diffusion",), "feature-diffusion", ["memory-bank"]),
        (("feature-diffusion",), "memory-bank", []),
        (("memory-bank",), "feature-diffusion", []),
    ],
)
def test_exclusions_are_kept_to(cards, asked, images, exclude, detector, baselines):
    plan = RulePlanner().plan(asked(exclude=exclude), images(normal=200), cards)
    assert (plan.detector.tool, [step.tool for step in plan.baselines]) == (detector, baselines)
    assert plan.detector.why.endswith("which you excluded.")


@pytest.mark.parametrize(("kind", "tool"), [("numeric", "robust-fusion"), ("categorical", "self-cleaning")])
def test_what_suits_an_unlabelled_table_depends_on_its_columns(cards, asked, table, kind, tool):
    columns = (
        Column(name="a", kind="integer", missing=0, distinct=9),
        Column(name="b", kind=kind, missing=0, distinct=9),
    )
    plan = RulePlanner().plan(asked(), table(unlabelled=500, columns=columns), cards)
    assert plan.detector.tool == tool


def test_exclusions_in_words_are_said_aloud(cards, asked, table):
    plan = RulePlanner().plan(asked("2 % false alarms, without self-cleaning"), table(unlabelled=500), cards)
    assert plan.detector == Step(
        tool="memory-bank",
        params=BANK,
        why="500 rows to learn from, and some of them may be anomalies. Best for a strong, quick reference for "
        "every other "
        "method. It stands in for robust-fusion, self-cleaning, which you excluded.",
    )
    assert plan.assumptions[1] == "Read in your words: do not use self-cleaning."


def test_an_option_wins_over_words(cards, asked, table):
    plan = RulePlanner().plan(asked("0.5 % false alarms", target_far=0.02, seed=3), table(unlabelled=500), cards)
    assert (plan.target_far, plan.seed) == (0.02, 3)


def test_rounds_are_not_promised_where_nothing_is_known_to_be_normal(cards, asked, table):
    plan = RulePlanner().plan(asked("generate fake fraud"), table(unlabelled=500), cards)
    assert plan.loop is None
    assert (
        "You mention “generate”, so rounds were wanted, but without items known to be normal nothing can be invented "
        "and no head can be taught: the plan only detects."
    ) in plan.assumptions


def test_rounds_are_planned_where_the_words_ask_for_them(cards, asked, table):
    plan = RulePlanner().plan(asked("generate fake fraud"), table(normal=500, anomalous=5), cards)
    assert plan.loop is not None and plan.loop.generator is not None
    assert (plan.loop.head.tool, plan.loop.generator.tool) == ("few-label-head", "transplanted-rows")
    assert plan.assumptions[-1].startswith("You mention “generate”. Real anomalies are learned from, and more are")
    assert RulePlanner().plan(asked("find fraud"), table(normal=500, anomalous=5), cards).loop is None
    assert RulePlanner().plan(asked("find fraud, don't generate any"), table(normal=500), cards).loop is None


@pytest.mark.parametrize(
    ("facts", "exclude", "tool", "why"),
    [
        (
            {"normal": 300, "anomalous": 1},
            (),
            "transplanted-rows",
            "Best for one to ten real anomalies, to teach a head that has to find their kind.",
        ),
        ({"normal": 300}, (), "neighbour-rows", "Best for no real anomaly at all, or very little time."),
        ({"normal": 5, "anomalous": 4}, (), "neighbour-rows", "Best for no real anomaly at all, or very little time."),
        (
            {"normal": 300, "anomalous": 4},
            ("transplanted-rows", "guided-rows", "neighbour-rows"),
            "smote-rows",
            "Best for comparing with other generators; ten anomalies or more of few kinds. "
            "It stands in for transplanted-rows, guided-rows, neighbour-rows, which you excluded.",
        ),
    ],
)
def test_a_generator_is_chosen_by_how_many_anomalies_there_are(cards, asked, table, facts, exclude, tool, why):
    step = choose("generator", Situation(asked(exclude=exclude), table(**facts), cards), "normal")
    assert step == Step(tool=tool, why=why)


def test_a_generator_that_needs_anomalies_says_so(cards, asked, table):
    with pytest.raises(Infeasible) as caught:
        choose(
            "generator", Situation(asked(exclude=("neighbour-rows", "uniform-rows")), table(normal=30), cards), "normal"
        )
    assert str(caught.value) == (
        "no generator can be used on /data/set.csv (excluded: neighbour-rows, uniform-rows): "
        "transplanted-rows needs labelled anomalies (at least 1), and there are 0; "
        "guided-rows needs labelled anomalies (at least 1), and there are 0; "
        "smote-rows needs labelled anomalies (at least 1), and there are 0; "
        "gaussian-rows needs labelled anomalies (at least 1), and there are 0; "
        "add rows to learn from, or allow another tool"
    )


def test_where_there_is_no_tool_at_all_nothing_can_be_allowed(cards, asked, table):
    detectors = {name: card for name, card in cards.items() if card.kind == "detector"}
    with pytest.raises(Infeasible) as caught:
        choose("generator", Situation(asked(), table(normal=30), detectors), "normal")
    assert str(caught.value) == "there is no generator for rows; add a tool card"


def test_rows_that_may_be_anomalies_are_left_to_the_forest_in_the_end(cards, asked, table):
    without = asked("1 % false alarms", exclude=("memory-bank", "robust-fusion", "self-cleaning"))
    plan = RulePlanner().plan(without, table(unlabelled=500), cards)
    assert (plan.detector.tool, plan.baselines) == ("isolation-forest", ())


def test_a_tool_whose_package_is_not_installed_is_passed_over(cards, asked, table):
    needs = cards["pyod"].requires.model_copy(update={"package": "not_installed_here"})
    absent = {"pyod": cards["pyod"].model_copy(update={"requires": needs}), "table-encoder": cards["table-encoder"]}
    with pytest.raises(Infeasible) as caught:
        RulePlanner().plan(asked(), table(unlabelled=500), absent)
    assert str(caught.value) == (
        "no detector can be used on /data/set.csv: pyod needs the package not_installed_here, and it is not installed "
        "(`pip install 'agentad[not_installed_here]'`); add rows to learn from, or allow another tool"
    )


def test_nothing_left_after_exclusions_is_infeasible(cards, asked, table):
    named = (
        "gaussian-mixture",
        "isolation-forest",
        "local-outlier-factor",
        "memory-bank",
        "pyod",
        "robust-fusion",
        "self-cleaning",
    )
    with pytest.raises(Infeasible) as caught:
        RulePlanner().plan(asked("without diffusion", exclude=named), table(unlabelled=500), cards)
    excluded = sorted({*named, *(card.name for card in cards.values() if card.diffusion)})
    assert str(caught.value) == f"no detector for rows is left without {', '.join(excluded)}; allow one of them"


def test_excluding_every_usable_encoder_is_infeasible(cards, asked, images):
    with pytest.raises(Infeasible) as caught:
        RulePlanner(available=()).plan(asked(exclude=("patch-filters",)), images(normal=200), cards)
    assert str(caught.value) == (
        "no encoder can be used on /data/parts (excluded: patch-filters): dinov2-lite needs the pretrained weights "
        "dinov2-small and efficientnet-lite0, and they are not on this machine; dinov2-small needs the pretrained "
        "weights dinov2-small, and they are not on this machine; efficientnet-lite0 needs the pretrained weights "
        "efficientnet-lite0, and they are not on this machine; add images to learn from, or allow another tool"
    )


def test_too_few_items_are_infeasible(cards, asked, table):
    with pytest.raises(Infeasible) as caught:
        RulePlanner().plan(asked(), table(normal=1, anomalous=7), cards)
    assert str(caught.value) == (
        "no encoder can be used on /data/set.csv: table-encoder needs at least 2 rows to learn from, and there is 1; "
        "add rows to learn from, or allow another tool"
    )


WEAKER = (
    "There are only {} normal images to learn from: expect less than from dozens, and a threshold that is very "
    "uncertain."
)
GUESS = (
    "There is a single normal image to learn from: expect much less than from dozens. The threshold can only be a "
    "guess; the order of the scores says more than the flags."
)


@pytest.mark.parametrize(
    ("facts", "given", "said"),
    [
        ({"normal": 1, "anomalous": 7}, 0, GUESS),
        ({"normal": 21, "anomalous": 7}, 1, GUESS),
        ({"normal": 28, "anomalous": 7}, 8, WEAKER.format(8)),
        ({"normal": 16, "anomalous": 7}, 0, WEAKER.format(8)),
        ({"normal": 8}, 0, WEAKER.format(8)),
    ],
)
def test_few_normal_images_are_learned_from_with_copies(cards, asked, images, facts, given, said):
    profile = images(**facts).model_copy(update={"given_normal": given})
    plan = RulePlanner().plan(asked("1 % false alarms"), profile, cards)
    assert (plan.detector.tool, plan.assumptions) == ("few-shot-bank", (said,))
    assert [step.tool for step in plan.baselines] == ([] if said == GUESS else ["memory-bank"])


@pytest.mark.parametrize(
    ("facts", "given"),
    [
        ({"normal": 29, "anomalous": 7}, 9),
        ({"normal": 9}, 0),
        ({"normal": 17, "anomalous": 1}, 0),
        ({"unlabelled": 8}, 0),
    ],
)
def test_more_images_or_unknown_ones_are_not(cards, asked, images, facts, given):
    profile = images(**facts).model_copy(update={"given_normal": given})
    assert RulePlanner().plan(asked(), profile, cards).detector.tool == "bank-diffusion"


def test_without_the_few_shot_bank_the_usual_one_stands_in(cards, asked, images):
    plan = RulePlanner().plan(asked(exclude=("few-shot-bank",)), images(normal=4), cards)
    assert plan.detector.tool == "bank-diffusion"
    assert plan.detector.why.endswith("It stands in for few-shot-bank, which you excluded.")


def test_only_anomalies_are_infeasible(cards, asked, table):
    with pytest.raises(Infeasible) as caught:
        RulePlanner().plan(asked(), table(anomalous=40), cards)
    assert str(caught.value) == (
        "/data/set.csv: all 40 rows are labelled anomalous, and a detector learns from normal ones; add normal rows, "
        "or drop the labels if they are wrong"
    )


def test_excluding_an_unknown_tool_is_refused(cards, asked, table):
    with pytest.raises(InputError) as caught:
        RulePlanner().plan(asked(exclude=("knn",)), table(unlabelled=500), cards)
    assert str(caught.value) == f"cannot exclude 'knn': no such tool. There are: {', '.join(cards)}"


def test_the_same_question_has_the_same_answer(cards, asked, table):
    again = dict(reversed(cards.items()))
    plans = {RulePlanner().plan(asked(), table(unlabelled=500), c).model_dump_json() for c in (cards, cards, again)}
    assert len(plans) == 1
