"""A limit on how long a call may take, whatever the library underneath waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """`call()`, or TimeoutError after `seconds`.

    A network library limits the wait for each byte, so a server that trickles can hold a caller for ever. The call runs
    in a daemon thread, which is left behind when time is up and never keeps the program from ending.
    """
    answer: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            answer.append(call())
        except BaseException as error:  # carried to the caller, whatever it is
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True, name="agentad-chat")
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not answer:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answer[0]
