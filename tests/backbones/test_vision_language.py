import io

import numpy as np
import pytest
from PIL import Image
from tiny_vision_language import tiny

from agentad.backbones.vision_language import Turn, VisionLanguage
from agentad.errors import InputError, WeightsMissing
from agentad.llm.pictured import LocalChat, picture_chat
from agentad.llm.structured import Message, Reply


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("vlm"))


@pytest.fixture(scope="module")
def model(folder):
    return VisionLanguage(str(folder))


def png(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 50, 3), value, np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_it_answers_in_its_own_words_and_always_the_same(model):
    turns = [Turn("user", "what is it ?", (png(0), png(255)))]
    said = model.reply(turns, seconds=60, most=6)
    assert 1 <= len(said.split()) <= 6
    assert model.reply(turns, seconds=60, most=6) == said


def test_it_is_told_the_text_and_shown_the_pictures(model, monkeypatch):
    asked = []
    monkeypatch.setattr(
        model._model, "generate", lambda **given: asked.append(given) or given["input_ids"][:, :0], raising=True
    )
    for shown in ((png(0),), (png(255),), (png(0), png(255)), ()):
        model.reply([Turn("user", "what is it ?", shown)], seconds=60)
    tokens = [given["input_ids"] for given in asked]
    pixels = [given.get("pixel_values") for given in asked]
    assert [(t == 4).sum().item() for t in tokens] == [16, 16, 32, 0]  # 4 × 4 patches a picture
    assert (pixels[0] != pixels[1]).all()
    assert len(pixels[2]) == 2
    assert pixels[3] is None
    assert tokens[3][0, -4:].tolist() == [5, 6, 7, 8]


def test_an_answer_ends_in_time(model):
    assert len(model.reply([Turn("user", "what")], seconds=0.0, most=200).split()) <= 2


def test_a_chat_that_runs_here(folder, model, monkeypatch):
    heard = []

    def reply(turns, *, seconds):
        heard.append((turns, seconds))
        return '{"x": 1}'

    chat = LocalChat(model, "local:tiny", deadline=9)
    monkeypatch.setattr(model, "reply", reply)
    messages = [
        Message(role="system", text="Be brief."),
        Message(role="human", text="what?", pictures=("QUJD",)),
        Message(role="ai", text="this"),
        Message(role="human", text="and?"),
    ]
    assert chat.ask({"title": "answer"}, messages) == Reply('{"x": 1}', {"x": 1})
    turns, seconds = heard[0]
    assert seconds == 9
    assert [(t.role, t.pictures) for t in turns] == [("user", (b"ABC",)), ("assistant", ()), ("user", ())]
    assert turns[0].text.startswith("Be brief.\n\nAnswer with one JSON document of this schema")
    assert turns[0].text.endswith('{"title": "answer"}\n\nwhat?')
    assert [t.text for t in turns[1:]] == ["this", "and?"]


def test_a_local_chat_by_name_fails_softly_on_a_picture_that_is_none(folder):
    chat = picture_chat(f"local:{folder}", deadline=60)
    assert chat.name == f"local:{folder.name}"
    reply = chat.ask({"title": "answer"}, [Message(role="human", text="what", pictures=("QUJD",))])
    assert reply.error is not None
    assert reply.document is None


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="give the folder of a vision-language model, or its hub id with the 40"):
        VisionLanguage("owner/name")
    with pytest.raises(WeightsMissing, match="download it on a connected machine"):
        VisionLanguage(str(tmp_path))
    with pytest.raises(WeightsMissing, match="cannot be loaded"):
        VisionLanguage(f"owner/name@{'0' * 40}")


def test_a_model_that_does_not_chat_is_refused(tmp_path):
    with pytest.raises(InputError, match="no chat template"):
        VisionLanguage(str(tiny(tmp_path, template=None)))
