"""Agent loops that a test can rely on, or cannot."""

from __future__ import annotations

import os
from typing import Any

import ray
from allot.verl.manager import AllotManager, AllotWorker


class NumberedWorker(AllotWorker):
    """The engine is told an answer's number: the answers of a prompt are the same whatever the
    order in which they are asked for."""

    async def _run_agent_loop(
        self, sampling_params: dict[str, Any], *, session_id: int, **others: Any
    ) -> Any:
        params = {**sampling_params, "seq": session_id}
        return await super()._run_agent_loop(params, session_id=session_id, **others)


class NumberedManager(AllotManager):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.agent_loop_workers_class = ray.remote(NumberedWorker)


class MortalWorker(AllotWorker):
    """Its process ends in the second step."""

    async def _run_agent_loop(self, *given: Any, trajectory: dict[str, Any], **others: Any) -> Any:
        if trajectory["step"] == 2:
            os._exit(1)
        return await super()._run_agent_loop(*given, trajectory=trajectory, **others)


class MortalManager(AllotManager):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.agent_loop_workers_class = ray.remote(MortalWorker)
