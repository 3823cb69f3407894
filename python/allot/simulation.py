"""Methods compared without a language model, as `allot simulate` does."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypedDict

    class Arm(TypedDict):
        """One method on one pool; the lists are per seed."""

        method: str
        lr: float
        seeds: list[int]
        final: list[float]
        units_to_grpo: list[float]
        gen_to_grpo: list[float]
        collapsed: float
        updates: float

    class Pool(TypedDict):
        pool: str
        arms: list[Arm]

    class Simulation(TypedDict):
        lengths: str
        budget: float
        pools: list[Pool]
        left_out: dict[str, str]


def simulate(
    methods: Sequence[str] = (),
    *,
    pool: str | Sequence[str] = "bimodal",
    seeds: int = 20,
    progress: Callable[[str], object] | None = None,
    **options: object,
) -> Simulation:
    """Runs every method in the same simulated worlds, GRPO always among them.

    Args:
        methods: names; none = all that the simulated world can serve.
        pool: how hard the prompts are: "bimodal", "hard", "uniform", "solved", "heavy", "dead",
            several of them, or "all".
        seeds: worlds, the same for every method.
        progress: called with "pool: method" before each method.
        options: seed, prompts_per_step, lengths, lr, budget, tune and threads, as `allot simulate
            --help` describes them; group_size (16 here), adv={..}, aero={..} for methods' options.

    Returns:
        {"lengths", "budget", "pools": [{"pool", "arms": [arm]}], "left_out": {method: reason}}.
        An arm has, per seed, `final` (held-out accuracy), `units_to_grpo` (compute to GRPO's final
        accuracy over the budget; 1 = not reached) and `gen_to_grpo` (the same for generated
        tokens, over GRPO's), and `collapsed` (share of runs that got worse), `updates` (mean).
    """
    pools = [pool] if isinstance(pool, str) else list(pool)
    given = {"methods": list(methods), "pools": pools, "seeds": seeds, **options}
    result: Simulation = _core.simulate(given, progress)
    return result
