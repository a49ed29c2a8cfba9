import threading

import pytest

from agentad.errors import InputError
from agentad.llm.deadline import within


def test_an_answer_in_time_is_returned():
    assert within(60, lambda: None) is None
    assert within(60, lambda: 3) == 3


def test_an_error_is_raised_as_it_is():
    def fail() -> None:
        raise InputError("no")

    with pytest.raises(InputError, match=r"^no$"):
        within(60, fail)


def test_what_takes_too_long_is_left_behind():
    release = threading.Event()
    with pytest.raises(TimeoutError) as caught:
        within(0.01, release.wait)
    release.set()
    assert str(caught.value) == "no answer within 0.01 s"
