import pytest

from agentad.errors import InputError
from agentad.planning.words import Wishes, read_wishes

PRETRAINED = (
    "dinov2-base",
    "dinov2-large",
    "dinov2-lite",
    "dinov2-small",
    "dinov3-base",
    "dinov3-small",
    "efficientnet-lite0",
    "siglip2-base",
)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("find bad parts, 0.5 % false alarms", 0.005),
        ("at most 2 percent false positives please", 0.02),
        ("höchstens 0,5% false alarms", 0.005),
        ("keep the false-alarm rate below 3 %", 0.03),
        ("False alarm rate of at most 0.1%", 0.001),
        ("false positive rate: 0.02", 0.02),
        ("no more than one false alarm in 200", 0.005),
        ("2 false alarms per 1000 parts", 0.002),
        ("5% false alarms, yes: a false alarm rate of 5 %", 0.05),
        ("find bad parts", None),
        ("at most 5 false alarms", None),
        ("1 false alarm in 24 hours", None),
        ("2 % of the parts are bad", None),
        ("the false alarms of the last 30 days were too many", None),
    ],
)
def test_false_alarm_rate(cards, text: str, rate: float | None):
    assert read_wishes(text, cards).target_far == rate


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "1 % false alarms, or 2 % false alarms",
            "the request names several false-alarm rates (1 %, 2 %); name one, or give it as an option",
        ),
        ("0 % false alarms", "the request names a false-alarm rate of 0 %; it has to lie between 0 and 100 %"),
        ("120% false alarms", "the request names a false-alarm rate of 120 %; it has to lie between 0 and 100 %"),
    ],
)
def test_impossible_rates_are_refused(cards, text: str, complaint: str):
    with pytest.raises(InputError) as caught:
        read_wishes(text, cards)
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("text", "tools"),
    [
        ("without the memory bank", ("memory-bank",)),
        ("Don’t use dinov2-small or the patch filters, please", ("dinov2-small", "patch-filters")),
        ("find odd rows, no self cleaning and empirical denoiser", ("empirical-denoiser", "self-cleaning")),
        ("no feature diffusion", ("feature-diffusion",)),
        (
            "never use nearest neighbours",
            ("few-shot-bank", "local-outlier-factor", "memory-bank", "self-cleaning", "template-distance"),
        ),
        ("avoid pre-trained models", PRETRAINED),
        ("use the memory bank", ()),
        ("why not use diffusion", ()),
        ("parts without scratches", ()),
        ("no memory banks were harmed, but try diffusion", ("memory-bank",)),
    ],
)
def test_exclusions(cards, text: str, tools: tuple[str, ...]):
    assert read_wishes(text, cards).exclude == tools


def test_excluding_diffusion_excludes_all_of_it(cards):
    diffusion = tuple(card.name for card in cards.values() if card.diffusion)
    assert {"empirical-denoiser", "feature-diffusion", "guided-rows"} <= set(diffusion)
    assert read_wishes("without diffusion", cards).exclude == diffusion


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("These are all good parts. Learn them.", "these are all good"),
        ("all of the images are normal", "all of the images are normal"),
        ("they're all fine; tell me later which are not", "they are all fine"),
        ("the folder contains only good parts", "contains only good"),
        ("my table has no anomalies", "has no anomalies"),
        ("train on normals only", "normals only"),
        ("find the bad parts", None),
        ("I have 200 good photos", None),
        ("check whether all parts are good", None),
        ("Are they all good?", None),
        ("these are not all good", None),
        ("almost all of them are good", None),
        ("they are all good except three", None),
        ("find the parts that have no defects", None),
        ("the first 100 rows have no anomalies", None),
        ("I don't think these are all normal", None),
    ],
)
def test_all_normal(cards, text: str, quote: str | None):
    assert read_wishes(text, cards).normal == quote


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("generate defects until the AUROC improves", "auroc"),
        ("improve average precision", "ap"),
        ("better localisation of scratches", "pixel_ap"),
        ("pixel AP matters", "pixel_ap"),
        ("AUROC and average precision", None),
        ("find the bad parts", None),
    ],
)
def test_what_has_to_improve(cards, text, metric):
    assert read_wishes(text, cards).metric == metric


def test_made_up_anomalies(cards):
    assert read_wishes("make 50 synthetic defects", cards) == Wishes(made_up="synthetic")


def test_a_long_request_is_read_quickly(cards):
    # Patterns that backtrack without end would never come back from this.
    text = (
        "these are " * 20_000
        + "no " * 20_000
        + "false alarm rate of at most " * 5_000
        + "1" * 20_000
        + " each image in" * 5_000
    )
    assert read_wishes(text, cards) == Wishes()


@pytest.mark.parametrize(
    ("text", "pace", "milliseconds", "said"),
    [
        ("find scratches, it has to be fast", "fast", None, ("fast",)),
        ("Be quick please", "fast", None, ("quick",)),
        ("we inspect in real-time on the line", "fast", None, ("real-time",)),
        ("take your time", "accurate", None, ("take your time",)),
        ("accurate please, there is no hurry", "accurate", None, ("accurate",)),
        ("at most 50 ms an image", None, 50, ("50 ms an image",)),
        ("each part must be judged within 0.2 seconds", None, 200, ("each part must be judged within 0.2 seconds",)),
        ("fast: 20 ms per image, better 15ms/frame", "fast", 15, ("fast", "15ms/frame")),
        ("accurate, but below 1 second for each picture", "accurate", 1000, ("accurate", "1 second for each picture")),
        ("be fast but accurate", None, None, ()),
        ("it does not have to be fast", None, None, ()),
        ("no false alarms and fast", "fast", None, ("fast",)),
        ("find broken fast chargers and fasteners", None, None, ()),
        ("how accurate is this", None, None, ()),
        ("the exposure is 20 ms", None, None, ()),
    ],
)
def test_little_or_much_time(cards, text: str, pace: str | None, milliseconds: float | None, said: tuple[str, ...]):
    wishes = read_wishes(text, cards)
    assert (wishes.pace, wishes.ms_per_image, wishes.time_words) == (pace, pytest.approx(milliseconds), said)
