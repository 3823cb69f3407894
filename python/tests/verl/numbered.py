"""Agent loops whose answers the engine tells apart: a prompt's answer with a given sequence number
is the same whatever the order in which answers are asked for."""

from __future__ import annotations

from typing import Any

import ray
from allot.verl.manager import AllotManager, AllotWorker


class NumberedWorker(AllotWorker):
    async def _run_agent_loop(
        self, sampling_params: dict[str, Any], *, session_id: int, **others: Any
    ) -> Any:
        params = {**sampling_params, "seq": session_id}
        return await super()._run_agent_loop(params, session_id=session_id, **others)


class NumberedManager(AllotManager):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.agent_loop_workers_class = ray.remote(NumberedWorker)
