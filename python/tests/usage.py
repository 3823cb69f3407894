"""The whole interface with types; mypy --strict reads this file, and a test runs it."""

from __future__ import annotations

import allot
import numpy as np
from numpy.typing import NDArray


def reward(prompt: int, seq: int) -> float | None:
    return None if seq == 5 else float((prompt + seq) % 3 == 0)


def one_step(controller: allot.Controller, prompts: list[int]) -> NDArray[np.float32]:
    plan: allot.Plan = controller.plan(prompts, budget=allot.Budget(groups=len(prompts)))
    while not plan.done:
        outcomes: list[allot.Outcome] = []
        for request in plan.generate:
            for i in range(request.n):
                value = reward(request.prompt, request.first_seq + i)
                outcomes.append(allot.Outcome(id=request.first + i, reward=value, tokens=10))
        plan = controller.observe(outcomes, more_prompts=list(range(100, 100 + plan.refill)))
    batch: allot.Batch = controller.finalize()
    controller.feedback(updated=len(batch) > 0, items={"rollout": batch.rollout})
    names: list[str] = [allot.ANCHORS[code] for code in batch.anchor]
    assert len(names) == int(batch.offsets[-1])
    return batch.advantage * batch.weight


def with_columns(controller: allot.Controller) -> dict[str, float]:
    plan = controller.plan(np.arange(4))
    ids: NDArray[np.int64] = plan.generate.ids()
    plan = controller.observe({"id": ids, "reward": np.ones(len(ids))}, deadline=True)
    controller.finalize()
    controller.feedback(False)
    return controller.metrics()


def main() -> None:
    host = allot.Host(grain="round", hold=False)
    controller = allot.Controller("aero", host=host, seed=1, explore=4, adv={"eps": 0.0})
    for step in range(3):
        one_step(controller, list(range(10 * step, 10 * step + 10)))
    with_columns(controller)
    blob: bytes = controller.save(dataset_hash=7)
    copy = allot.Controller("aero", host=host, seed=1, explore=4, adv={"eps": 0.0})
    copy.load(blob, dataset_hash=7)
    record: allot.PromptRecord | None = copy.record(3)
    assert record is not None and record.trials > 0
    rates: NDArray[np.float64] = copy.records().successes / copy.records().trials
    assert rates.shape == (len(copy.records()),)
    try:
        allot.Controller("aero", explor=4)
    except allot.ConfigError as error:
        assert error.kind == "config"
    options: list[allot.Option] = allot.method("aero").options
    bounds: tuple[float, float] | None = options[0].range
    assert bounds is not None and copy.needs.max_rounds > 1
    verdict: allot.Verdict = allot.verify("addition", "5", answer="5")
    assert verdict.correct
    loss: allot.objective.Evaluation = allot.objective.evaluate(
        "gspo", logprobs=-np.ones((2, 3)), rewards=[1, 0], group_index=np.array([0, 0])
    )
    assert loss["loss"] == 0.0 and len(loss["grad"][1]) == 3
    result = allot.simulate(["aero"], seeds=1, budget=1000.0, prompts_per_step=8, threads=1)
    final: list[float] = result["pools"][0]["arms"][0]["final"]
    assert len(final) == 1


if __name__ == "__main__":
    main()
