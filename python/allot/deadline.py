"""Calls of a user's function that must come back in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

MOST_GIVEN_UP = 64  # threads that never came back, before no more are lent


class Deadline:
    """Calls functions in a thread and gives up on a call that takes longer than `seconds`.

    Python cannot end a thread: one that hangs is left behind, what it returns later is thrown
    away, and the next call has a thread of its own. A function that hangs without letting go of the
    interpreter (in an extension that keeps the lock) cannot be cut this way.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.given_up = 0  # calls so far that were too late

    def call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """What the function returns or raises. Raises TimeoutError when it is too late."""
        if self.given_up >= MOST_GIVEN_UP:
            raise TimeoutError(f"not called: {self.given_up} earlier calls never came back")
        returned: list[Any] = []
        raised: list[BaseException] = []

        def work() -> None:
            try:
                returned.append(function(**arguments))
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=work, name="allot reward", daemon=True)
        thread.start()
        thread.join(self.seconds)
        if thread.is_alive():
            self.given_up += 1
            raise TimeoutError(f"no answer within {self.seconds:g} s; the call was given up")
        if raised:
            raise raised[0]
        return returned[0]
