"""What surrounds the Controller: options, outcomes of all kinds, listings, the simulator."""

import shutil
import subprocess
import sys
import threading
import types
from pathlib import Path

import allot
import numpy as np
import pytest
from world import World, events

# ---- listings


def test_every_option_listed_is_taken():
    for method in allot.methods(combinations=True):
        assert method.summary and method.paper
        own = {option.name for option in method.options}  # they win over shared ones
        shared = [option for option in allot.shared_options() if option.name not in own]
        for option in (*method.options, *shared):
            assert option.help and option.key.startswith(("alloc.", "adv."))
            allot.Controller(method.name, **{option.name: option.default})


def test_an_option_says_what_it_may_be():
    options = {option.name: option for option in allot.method("aero").options}
    explore = options["explore"]
    assert (explore.key, explore.type, explore.default) == ("alloc.aero.explore", "int", 0)
    assert explore.range == (0.0, 65536.0) and explore.choices == []
    assert options["degenerate"].choices == ["bernoulli", "none_std", "off"]
    assert options["degenerate"].range is None
    shared = {option.name: option for option in allot.shared_options()}
    assert shared["group_size"].default == 8 and shared["adv_scale"].default == "group"


def test_needs():
    needs = allot.Controller("dapo").needs
    assert needs.refill and needs.grain == "round" and needs.draw == "stream"
    assert "refill" in str(needs)
    assert allot.method("cero").needs.draw == "pool"


def test_options_reach_the_method():
    def asked(method, **options):
        return allot.Controller(method, **options).plan([1, 2]).generate.n.tolist()

    assert asked("grpo") == [8, 8]
    assert asked("grpo", group_size=4) == [4, 4]
    assert asked("aero", explore=3) == [3, 3]
    assert asked("aero", aero={"explore": 3}) == asked("aero", aero_explore=3) == [3, 3]
    assert asked("aero", explore=None) == [4, 4]
    assert asked("aero", explore=np.int64(3)) == [3, 3]


# ---- prompts and budgets


def test_prompts_of_all_kinds():
    def first(prompts):
        return allot.Controller("grpo").plan(prompts).generate.prompt.tolist()

    assert first([3, 5]) == first((3, 5)) == first(np.array([3, 5])) == [3, 5]
    assert first(np.array([3, 5], dtype=np.uint8)) == first(range(3, 6, 2)) == [3, 5]
    assert first([allot.Prompt(3, epoch=1), 5]) == [3, 5]
    assert first(["a", "b"]) == [allot.prompt_id("a"), allot.prompt_id("b")]
    assert first([]) == []


def test_prior_pass_rates_decide_before_the_first_rollout():
    def asked(rate):
        mopps = allot.Controller("mopps", prior_strength=1000)
        shown = [allot.Prompt(i, prior_pass_rate=0.5 if i < 4 else rate) for i in range(64)]
        return set(mopps.plan(shown, budget=allot.Budget(groups=4)).generate.prompt.tolist())

    assert asked(1) == asked(np.float32(0)) == {0, 1, 2, 3}
    assert asked(0.5) != {0, 1, 2, 3}
    assert allot.Prompt(1).prior_pass_rate is None
    assert allot.Prompt(1, prior_pass_rate=0.25).prior_pass_rate == 0.25


def test_prompt_ids_are_pinned():
    assert allot.prompt_id("aime-24-3") == allot.prompt_id(b"aime-24-3") < 2**63
    assert allot.prompt_id("ab", "c") != allot.prompt_id("a", "bc")
    assert allot.Prompt("x").id == allot.prompt_id("x")


def test_default_budget():
    controller = allot.Controller("knapsack", group_size=4)
    assert controller.plan([1, 2, 3]).generate.n.sum() == 12
    controller = allot.Controller("knapsack", budget=allot.Budget(rollouts=20))
    assert controller.plan([1, 2, 3]).generate.n.sum() == 20
    controller = allot.Controller("knapsack", budget=allot.Budget(rollouts=20))
    assert controller.plan([1, 2], budget=allot.Budget()).generate.n.sum() == 16
    # Where more candidates are shown than groups are wanted, groups are what is counted.
    mopps = allot.Controller("mopps")
    shown = int(4 * mopps.needs.candidate_factor)
    assert len(mopps.plan(range(shown)).generate) == 4


def test_a_cap_is_kept():
    controller = allot.Controller("knapsack", budget=allot.Budget(hard_rollouts=9))
    assert controller.plan([1, 2, 3]).generate.n.sum() <= 9


# ---- outcomes


def advantages(outcomes):
    controller = allot.Controller("grpo", group_size=4)
    ids = controller.plan([1]).generate.ids()
    assert controller.observe(outcomes(ids)).done
    batch = controller.finalize()
    cause = batch.reports[0].cause
    return dict(zip(batch.rollout.tolist(), batch.advantage.tolist())), cause, controller.metrics()


def test_not_scorable_and_verifier_errors_stay_apart():
    bad = ValueError("no such number")
    of_lists, _, metrics = advantages(lambda ids: {"id": ids, "reward": [1, None, bad, 0]})
    assert sorted(of_lists) == [1, 4]
    of_names, _, same = advantages(
        lambda ids: {
            "id": ids,
            "reward": [1, 0, 0, 0],
            "scoring": ["scored", "not_scorable", "verifier_error", "scored"],
        }
    )
    assert of_lists == of_names and metrics == same
    of_nan, _, _ = advantages(lambda ids: {"id": ids, "reward": np.array([1, np.nan, np.nan, 0])})
    assert of_nan == of_lists
    causes = [
        advantages(lambda ids: {"id": ids, "reward": [value] * 4})[1]
        for value in (None, bad, float("nan"), 1, 0.25)
    ]
    assert causes == ["unscorable", "verifier_error", "unscorable", "all_right", "all_wrong"]


def test_kinds_of_columns():
    want = advantages(lambda ids: {"id": ids.tolist(), "reward": [1.0, 0.0, 0.5, 0.0]})[0]
    for dtype in (np.float16, np.float32, np.float64, object):
        reward = np.array([1, 0, 0.5, 0]).astype(dtype)
        assert advantages(lambda ids: {"id": ids, "reward": reward})[0] == want
    strided = np.array([[1, 9], [0, 9], [0.5, 9], [0, 9]])[:, 0]
    assert advantages(lambda ids: {"id": ids.astype(np.int32), "reward": strided})[0] == want
    assert advantages(lambda ids: allot.Outcomes(id=ids, reward=[1, 0, 0.5, 0]))[0] == want

    mapping = types.MappingProxyType
    assert advantages(lambda ids: mapping({"id": ids, "reward": [1, 0, 0.5, 0]}))[0] == want

    def single(ids):
        return [allot.Outcome(id=i, reward=r) for i, r in zip(ids, (1, 0, 0.5, 0))]

    assert advantages(single)[0] == want
    flags = {"correct": np.array([True, False, True, False]), "status": "ok", "parsed": True}
    assert advantages(lambda ids: {"id": ids, "reward": [1, 0, 0.5, 0], **flags})[0] == want


def test_correct_follows_the_threshold():
    def successes(threshold, **columns):
        controller = allot.Controller("grpo", group_size=4, success_threshold=threshold)
        ids = controller.plan([1]).generate.ids()
        controller.observe({"id": ids, "reward": [0.2, 0.6, 0.9, 0.0], **columns})
        controller.finalize()
        return controller.record(1).successes

    assert successes(0.5) == 2 and successes(0.1) == 3
    assert successes(0.5, correct=[True, False, False, False]) == 1


def test_failed_rollouts_need_no_reward():
    def outcomes(ids):
        return {"id": ids, "reward": [1, 0, None, None], "status": ["ok", "ok", "failed", "failed"]}

    assert sorted(advantages(outcomes)[0]) == [1, 2]


# ---- plans and batches


def test_a_plan_outlives_its_columns_and_the_other_way_round():
    controller = allot.Controller("grpo", group_size=2)
    plan = controller.plan([1, 2])
    n, generate = plan.generate.n, plan.generate
    del plan
    assert n.tolist() == [2, 2] and [r.prompt for r in generate] == [1, 2]
    assert generate[-1].prompt == 2 and len(generate) == 2
    with pytest.raises(IndexError):
        generate[2]
    controller.observe({"id": generate.ids(), "reward": [1, 0, 0, 1]})
    advantage = controller.finalize().advantage
    assert advantage.dtype == np.float32 and advantage.flags.writeable
    np.testing.assert_allclose(advantage, [0.7070, -0.7070, -0.7070, 0.7070], atol=2e-4)


def test_held_rollouts_can_get_lost():
    controller = allot.Controller("speed")
    held: set[int] = set()
    for kind, value in events(controller, World(), 12):
        if kind == "finalize":
            held = (held | set(value.hold.tolist())) - set(value.release.tolist())
        if kind == "feedback" and held:
            break
    lost = min(held)
    assert controller.needs.hold
    budget = allot.Budget(groups=8, rollouts=64)
    fresh = range(90000, 90000 + round(8 * controller.needs.candidate_factor))
    controller.plan(fresh, lost=[lost], budget=budget)
    controller.observe(deadline=True)
    assert lost not in controller.finalize().rollout
    controller.feedback(False)
    with pytest.raises(allot.InternalError, match="not held"):
        controller.plan([], lost=[lost], budget=budget)


# ---- threads, interruptions, the rest


def test_controllers_run_in_threads():
    controllers = [allot.Controller("knapsack", seed=i) for i in range(4)]
    plans = {}

    def work(i):
        plans[i] = controllers[i].plan(range(2000)).generate.n.sum()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(plans.values()) == {16000}


def test_simulate():
    heard = []
    options = {"prompts_per_step": 16, "budget": 4000, "threads": 1, "group_size": 8}
    result = allot.simulate(["aero"], pool="hard", seeds=2, progress=heard.append, **options)
    assert heard == ["hard: grpo", "hard: aero"]
    assert result["lengths"] == "default" and result["left_out"] == {}
    grpo, aero = result["pools"][0]["arms"]
    assert (grpo["method"], aero["method"]) == ("grpo", "aero")
    assert aero["seeds"] == [0, 1] and len(aero["final"]) == 2
    assert all(0 < accuracy < 1 for accuracy in grpo["final"] + aero["final"])
    assert aero["updates"] > 0 and 0 <= aero["collapsed"] <= 1
    again = allot.simulate(["aero"], pool=["hard"], seeds=2, **options)
    assert again == result


def test_simulate_can_be_stopped_between_methods():
    def stop(what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        allot.simulate(["aero"], seeds=1, budget=1000, progress=stop)


def test_verify():
    names = [task.name for task in allot.tasks()]
    assert "countdown" in names and "addition" in names
    right = allot.verify("addition", "5", answer="5")
    assert right.correct and right.reward == 1 and right.scoring == "scored"
    wrong = allot.verify("addition", "6", answer="5")
    assert not wrong.correct and wrong.parsed and wrong.answer == "6" and wrong.reason
    assert not allot.verify("addition", "five", answer="5").parsed
    for task in allot.tasks():
        if task.name == "countdown":
            verdict = allot.verify("countdown", "1*(8*3)", answer=task.response, prompt=task.prompt)
            assert verdict.scoring == "scored"


def test_import_brings_nothing_along():
    code = "import sys, allot; print([m for m in ('numpy', 'json', 'typing') if m in sys.modules])"
    env = {"PYTHONPATH": str(Path(allot.__file__).parents[1])}
    command = [sys.executable, "-S", "-c", code]  # -S: nothing that site-packages brings along
    said = subprocess.run(command, capture_output=True, text=True, env=env)
    assert said.stdout.strip() == "[]", said.stderr


def test_the_module_needs_the_system_libraries_alone():
    if not shutil.which("ldd"):
        pytest.skip("there is no ldd here")
    (module,) = Path(allot.__file__).parent.glob("_core*.so")
    said = subprocess.run(["ldd", str(module)], capture_output=True, text=True, check=True).stdout
    names = {line.split()[0].split("/")[-1].split(".")[0] for line in said.splitlines()}
    names = {name for name in names if not name.startswith(("ld-linux", "linux-"))}
    assert names <= {"libstdc++", "libm", "libgcc_s", "libc", "libpthread", "libdl"}, said


def test_the_package_is_complete():
    """Every file of the source, sub-packages too, is where the package under test is."""
    source = Path(__file__).resolve().parents[1] / "allot"
    here = Path(allot.__file__).parent
    for file in source.rglob("*"):
        if file.suffix in (".py", ".json", ".typed"):
            assert (here / file.relative_to(source)).is_file(), file


def test_plans_and_needs_print_what_they_say() -> None:
    plan = allot.Controller("grpo").plan([1, 2])
    assert repr(plan) == "allot.Plan(requests=2, rollouts=16, cancel=0, refill=0, done=False)"
    needs = repr(allot.Controller("dapo").needs)
    assert needs.startswith("allot.Needs(grain='round', draw='stream', candidate_factor=2")
    assert "refill=True" in needs
