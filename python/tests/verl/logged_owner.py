"""The owner, in an actor of its own, with all that its Controller decides."""

from __future__ import annotations

from typing import Any

from allot.verl.owner import Owner
from decisions import Log


class LoggedOwner(Owner):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.controller: Any = Log(self.controller)

    async def decided(self) -> list[Any]:
        return list(self.controller.steps)
