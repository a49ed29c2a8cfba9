"""Free text as numbers, on texts whose topics are known because we made them."""

import json
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from agentad.detectors.empirical_denoiser import EmpiricalDenoiser
from agentad.errors import DetectorRefused
from agentad.modalities.table import TableEncoder
from agentad.modalities.table.parts import words as words_module
from agentad.modalities.table.parts.words import Words

COMMON = [f"common{k}" for k in range(30)]
TOPICS = [[f"{name}{k}" for k in range(20)] for name in ("ship", "bank", "farm", "mine")]


def text(rng: np.random.Generator, words: Sequence[str]) -> str:
    """Six of the words among six common ones."""
    return " ".join(rng.permutation([*rng.choice(words, 6, replace=False), *rng.choice(COMMON, 6, replace=False)]))


def on_topic(n: int, seed: int) -> pl.Series:
    rng = np.random.default_rng(seed)
    return pl.Series("remark", [text(rng, TOPICS[k % len(TOPICS)]) for k in range(n)])


def between_topics(n: int, seed: int) -> pl.Series:
    """Every word is well known, and none of these texts keeps to a topic."""
    rng = np.random.default_rng(seed)
    return pl.Series("remark", [text(rng, [word for topic in TOPICS for word in topic]) for _ in range(n)])


def auroc(part: Words, columns: slice) -> float:
    """Of a detector that learned from texts on topic, over new ones and those between topics."""
    normal, new, odd = (
        part.encode(s)[0][:, columns] for s in (on_topic(400, 1), on_topic(100, 2), between_topics(50, 3))
    )
    score = EmpiricalDenoiser().fit(normal).score(np.concatenate([new, odd])).item
    return float(roc_auc_score(np.repeat([0, 1], [100, 50]), score))


def test_there_are_as_many_topics_as_the_texts_have() -> None:
    rng = np.random.default_rng(0)
    aimless = pl.Series("remark", [text(rng, TOPICS[0]) for _ in range(400)])
    assert Words.fit("remark", on_topic(400, 1)).topics.shape[1] - 1 == len(TOPICS) - 1  # about their mean
    assert Words.fit("remark", aimless).topics.shape[1] - 1 == 0


def test_texts_between_topics_are_found_though_all_their_words_are_common() -> None:
    part = Words.fit("remark", on_topic(400, 1))
    assert auroc(part, slice(4)) < 0.7
    assert auroc(part, slice(None)) > 0.99


def test_texts_of_a_topic_lie_together() -> None:
    part = Words.fit("remark", on_topic(400, 1))
    y = part.encode(on_topic(80, 2))[0][:, 4:-1].reshape(20, 4, -1)
    within, apart = y.std(axis=0).max(), np.linalg.norm(y.mean(axis=0)[0] - y.mean(axis=0)[1])
    assert apart > 5 * within


def test_a_text_is_told_by_its_length_and_by_words_of_its_topic() -> None:
    part = Words.fit("remark", on_topic(400, 1))
    values = part.encode(on_topic(4, 2))[0][1]
    said, _, told = part.text(values).partition(" such as ")
    assert said == f"{len(on_topic(4, 2)[1])} characters, 12 words"
    assert len(told.split(", ")) == 3 and set(told.split(", ")) <= set(TOPICS[1])


def test_words_never_seen_belong_to_no_topic() -> None:
    part = Words.fit("remark", on_topic(400, 1))
    known, strange, empty = part.encode(pl.Series(["ship1 ship2 ship3 common1", "qqq zzz", ""]))[0]
    assert np.allclose(strange[4:-1], empty[4:-1])
    assert strange[2] == strange[3] == pytest.approx(np.log(401))
    assert strange[-1] > known[-1]


def test_a_word_of_one_training_text_is_as_rare_as_an_unseen_one() -> None:
    part = Words.fit("remark", pl.Series(["red car", "red bus", "red cab"]))
    assert part.encode(pl.Series(["red", "car", "qqq"]))[0][:, 3].tolist() == pytest.approx(
        [np.log(4 / 3), np.log(4), np.log(4)]
    )


def test_scripts_without_spaces_have_characters_and_pairs_for_words() -> None:
    part = Words.fit("remark", pl.Series(["包裹已到 ok12", "包裹 カナ", "ok12"]))
    assert set(part.words) == {"包", "裹", "已", "到", "包裹", "裹已", "已到", "カ", "ナ", "カナ", "ok12"}
    assert dict(zip(part.words, part.counts, strict=True))["包裹"] == 2
    assert part.encode(pl.Series(["包裹已到 ok12"]))[0][0, 1] == pytest.approx(np.log(6))  # pairs are not counted


def test_texts_in_chinese_have_topics() -> None:
    rng = np.random.default_rng(4)
    scripts = [[chr(0x4E00 + 40 * k + j) for j in range(20)] for k in range(3)]
    part = Words.fit("remark", pl.Series(["".join(rng.choice(scripts[k % 3], 12)) for k in range(300)]))
    within, across = part.encode(
        pl.Series(
            [
                "".join(rng.choice(scripts[0], 12)),
                "".join(rng.choice([one for script in scripts for one in script], 12)),
            ]
        )
    )[0]
    assert across[-1] > within[-1] and part.topics.shape[1] - 1 >= 2


@pytest.mark.parametrize("texts", [["same text"] * 40, [""] * 40, [None] * 40, ["a b", "c d"], ["x"] * 39 + ["y z"]])
def test_texts_with_nothing_to_learn_from(texts: list[str | None]) -> None:
    part = Words.fit("remark", pl.Series(texts, dtype=pl.String))
    out, missing = part.encode(pl.Series([*texts, "other words", None], dtype=pl.String))
    assert out.shape == (len(texts) + 2, part.width) and np.isfinite(out).all() and missing[-1]


def test_the_same_texts_give_the_same_topics() -> None:
    first, again = (Words.fit("remark", on_topic(200, 1)).topics for _ in range(2))
    assert np.array_equal(first, again)


def test_the_vocabulary_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "MAX_WORDS", 50)
    part = Words.fit("remark", on_topic(400, 1))
    assert len(part.words) == len(part.topics) == 50
    assert np.isfinite(part.encode(on_topic(10, 2))[0]).all()


def saved() -> tuple[dict[str, NDArray[np.float32]], dict[str, object]]:
    encoder = TableEncoder()
    encoder._parts = (Words.fit("remark", on_topic(200, 1)),)
    arrays, settings = encoder.state()
    return arrays, json.loads(json.dumps(settings))


def test_topics_are_kept_as_an_array() -> None:
    arrays, settings = saved()
    assert arrays.keys() == {"topics.0"}
    frame = on_topic(5, 2).to_frame()
    assert np.array_equal(
        TableEncoder.restore(arrays, settings).encode(frame)[:, :-1],
        Words.fit("remark", on_topic(200, 1)).encode(frame["remark"])[0].astype(np.float32),
    )


@pytest.mark.parametrize(
    "topics",
    [np.zeros((3, 0), np.float32), np.zeros(3, np.float32), np.full((3, 1), np.nan, np.float32), np.zeros((9999, 2))],
)
def test_topics_that_do_not_fit_are_refused(topics: NDArray[np.float32]) -> None:
    _, settings = saved()
    with pytest.raises(DetectorRefused, match=r"^The table encoder's settings are damaged or too new: "):
        TableEncoder.restore({"topics.0": topics}, settings)
    with pytest.raises(DetectorRefused):
        TableEncoder.restore({}, settings)
