"""The user's reward functions, watched: a failure stays apart from "no score", and nothing raises
where other processes may be waiting; a mistake that ends the run is kept for the caller to tell.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .deadline import Deadline

CONSTANT_STEPS = 10  # first steps in which a constant reward function is noticed


class Watch:
    """Stands between a trainer and the reward functions during one call of them.

    Args:
        count: completions of this process.
        deadline: cuts calls that hang; None: they may take any time.
    """

    def __init__(self, count: int, deadline: Deadline | None = None) -> None:
        self.count = count
        self.deadline = deadline
        self.late = False  # a call was cut
        self.errors: dict[int, str] = {}  # by completion: its verifier failed, and how
        self.fatal: str | None = None  # why the run cannot go on

    def around(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)
        ):

            async def watched_async(**arguments: Any) -> list[float | None]:
                try:
                    values = await asyncio.wait_for(function(**arguments), self._seconds())
                except asyncio.TimeoutError as error:  # without a text: the one of wait_for
                    cut = self.deadline is not None and not str(error)
                    return self._too_late(name) if cut else self._failed(name, error)
                except Exception as error:
                    return self._failed(name, error)
                return self._checked(name, values)

            return watched_async

        def watched(**arguments: Any) -> list[float | None]:
            late = self.deadline.given_up if self.deadline else 0
            try:
                values = self._call(function, arguments)
            except TimeoutError as error:
                cut = self.deadline is not None and self.deadline.given_up > late
                return self._too_late(name) if cut else self._failed(name, error)
            except Exception as error:
                return self._failed(name, error)
            return self._checked(name, values)

        return watched

    def _seconds(self) -> float | None:
        return self.deadline.seconds if self.deadline else None

    def _call(self, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        if self.deadline is None:
            return function(**arguments)
        return self.deadline.call(function, **arguments)

    def _too_late(self, name: str) -> list[float | None]:
        self.late = True
        return self._failed(
            name, TimeoutError(f"no answer within {self._seconds():g} s; the call was given up")
        )

    def _failed(self, name: str, error: Exception) -> list[float | None]:
        for row in range(self.count):
            self.errors[row] = f"{name} raised {described(error)}"
        return [None] * self.count

    def _checked(self, name: str, values: Iterable[Any]) -> list[float | None]:
        try:
            given = list(values)
        except TypeError:
            return self._stop(f"reward function {name} returned {values!r:.80}; a list is needed")
        if len(given) != self.count:
            return self._stop(
                f"reward function {name} returned {len(given)} rewards for {self.count} "
                f"completions; one for each is needed"
            )
        out: list[float | None] = []
        for row, value in enumerate(given):
            if isinstance(value, BaseException):
                self.errors[row] = f"{name} gave {described(value)}"
                out.append(None)
                continue
            number = number_of(value)
            if number is None and value is not None:
                return self._stop(
                    f"reward function {name} gave {value!r:.80} for completion {row}; a number is "
                    f"needed. Hint: None says that a completion cannot be scored, an exception "
                    f"object that its verifier failed"
                )
            if number is not None and np.isinf(number):
                return self._stop(
                    f"reward function {name} gave {number} for completion {row}; a finite number "
                    f"is needed"
                )
            out.append(number)
        return out

    def _stop(self, why: str) -> list[float | None]:
        self.fatal = self.fatal or why
        return [None] * self.count


def described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def number_of(value: Any) -> float | None:
    """A number as a float; None for anything else, text above all."""
    if isinstance(value, (str, bytes)) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


class ConstantRewards:
    """Notices a function that gives every completion of the first steps the same value."""

    def __init__(self, names: Sequence[str], steps: int = CONSTANT_STEPS) -> None:
        self._names = names
        self._left = steps
        self._values: list[set[float]] = [set() for _ in names]  # at most two are kept

    def step(self, rewards: Iterable[Sequence[float]]) -> list[str]:
        """`rewards`: by completion, one value per function. What should be said now."""
        if self._left == 0:
            return []
        self._left -= 1
        for values in rewards:
            for seen, value in zip(self._values, values):
                if len(seen) < 2 and not np.isnan(value):
                    seen.add(float(value))
        if self._left > 0:
            return []
        return [
            f"reward function {name} gave {next(iter(seen)):g} to every completion of the first "
            f"steps; nothing can be learned of it"
            for name, seen in zip(self._names, self._values)
            if len(seen) == 1
        ]
