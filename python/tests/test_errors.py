"""Everything that is refused, and how: what was given, what is needed."""

import allot
import numpy as np
import pytest


@pytest.fixture
def open_step():
    controller = allot.Controller("grpo", group_size=2)
    return controller, controller.plan([7, 8]).generate.ids()


def refusal(kind, call, *words):
    with pytest.raises(kind) as caught:
        call()
    text = str(caught.value)
    assert text.startswith("["), text
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"
    assert isinstance(caught.value, allot.Error)
    return caught.value


def test_the_classes():
    for kind in (allot.ConfigError, allot.DataError):
        assert issubclass(kind, allot.Error) and issubclass(kind, ValueError)
    for kind in (allot.ModelError, allot.SamplerError, allot.InternalError):
        assert issubclass(kind, allot.Error) and not issubclass(kind, ValueError)


# ---- methods and options


def test_unknown_names():
    make = allot.Controller
    refusal(allot.ConfigError, lambda: make("areo"), "'areo'", "did you mean 'aero'?")
    refusal(
        allot.ConfigError, lambda: make("aero", explor=8), "'explor'", "did you mean 'explore'?"
    )
    refusal(allot.ConfigError, lambda: make("aero", adv={"scal": "none"}), "adv_scale")
    refusal(allot.ConfigError, lambda: make("grpo+aero"), "cannot stand first")
    refusal(allot.ConfigError, lambda: allot.Budget(rollout=8), "did you mean 'rollouts'?")
    refusal(allot.ConfigError, lambda: allot.Host(holds=True), "did you mean 'hold'?")
    refusal(allot.ConfigError, lambda: allot.method("nothing"), "'nothing'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"explore": 100000}, ["alloc.aero.explore", "'100000'", "0 .. 65536"]),
        ({"explore": "many"}, ["alloc.aero.explore", "'many'", "a whole number"]),
        ({"explore": 2.5}, ["alloc.aero.explore", "'2.5'", "a whole number"]),
        ({"explore": True}, ["alloc.aero.explore", "'true'"]),
        ({"degenerate": "of"}, ["alloc.aero.degenerate", "bernoulli", "off"]),
        ({"group_size": 0}, ["alloc.group_size"]),
        ({"explore": 1}, ["alloc.aero.explore"]),  # a rule of the method, not a range
        ({"adv_eps": -0.5}, ["adv.eps"]),
    ],
)
def test_option_values(options, words):
    refusal(allot.ConfigError, lambda: allot.Controller("aero", **options), *words)


def test_option_of_an_unusable_type():
    refusal(
        allot.DataError, lambda: allot.Controller("aero", explore=object()), "explore", "object"
    )


def test_an_option_of_both_methods_of_a_pair():
    shared = {o.name for o in allot.method("mopps").options} & {
        o.name for o in allot.method("aero").options
    }
    assert "prior_a" in shared
    refusal(
        allot.ConfigError,
        lambda: allot.Controller("mopps+aero", prior_a=2),
        "mopps_prior_a or aero_prior_a",
    )
    allot.Controller("mopps+aero", aero={"prior_a": 2}, mopps_prior_b=3, explore=4)


def test_a_host_that_serves_too_little():
    host = allot.Host(refill=False)
    refusal(allot.ConfigError, lambda: allot.Controller("dapo", host=host), "dapo", "refill")
    refusal(allot.DataError, lambda: allot.Host(grain="token"), "rollout, request, round")
    refusal(allot.DataError, lambda: allot.Host(hold="yes"), "True or False")


def test_budgets():
    refusal(allot.DataError, lambda: allot.Budget(groups=-1), "Budget.groups", "-1")
    refusal(allot.DataError, lambda: allot.Budget(rollouts=1.5), "Budget.rollouts", "1.5")
    refusal(
        allot.ConfigError, lambda: allot.Controller("cero").plan([1, 2]), "Budget.groups", "cero"
    )


# ---- prompts


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ("abc", ["plan.prompts", "'abc'", "a sequence of prompts"]),
        (7, ["plan.prompts", "7"]),
        ([1, 2.5], ["row 1", "float 2.5", "an id"]),
        ([-1], ["row 0", "-1"]),
        ([2**63], ["row 0", "2^63 - 1"]),
        ([True], ["row 0", "True"]),
        ([None], ["row 0", "None"]),
        (np.array([1.0, 2.0]), ["array of float64 with shape (2,)", "whole numbers"]),
        (np.array([[1, 2]]), ["shape (1, 2)", "one dimension"]),
        (np.array([-3]), ["row 0", "-3"]),
        (np.array([2**63], dtype=np.uint64), ["below 2^63"]),
    ],
)
def test_prompts(prompts, words):
    refusal(allot.DataError, lambda: allot.Controller("grpo").plan(prompts), *words)


def test_prompts_that_come_twice_or_lack_something():
    plan = allot.Controller("grpo").plan
    refusal(allot.InternalError, lambda: plan(["a", "a"]), "shown twice")
    refusal(allot.DataError, lambda: allot.Prompt(1, embedding=["x"]), "Prompt.embedding")
    gp = allot.Controller("vip", belief="embedding")
    refusal(allot.InternalError, lambda: gp.plan([1, 2]), "embedding")


# ---- outcomes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": None}, ["id"]),
        ({"id": ["a", "b", "c", "d"]}, ["outcomes.id, row 0", "the str 'a'", "a whole number"]),
        ({"id": np.arange(4.0)}, ["outcomes.id", "float64", "whole numbers"]),
        ({"reward": [1, 0]}, ["outcomes.reward", "2 values", "4 (as many as ids)"]),
        ({"reward": ["1", 0, 0, 0]}, ["outcomes.reward, row 0", "the str '1'", "a number"]),
        ({"reward": np.array(["1", "0", "0", "0"])}, ["outcomes.reward, row 0", "str"]),
        ({"reward": np.zeros((4, 1))}, ["outcomes.reward", "(4, 1)", "one dimension"]),
        ({"reward": 1.0}, ["outcomes.reward", "the float 1.0", "a column"]),
        ({"reward": None}, ["row 0", "no reward"]),
        ({"tokens": [1.5, 1, 1, 1]}, ["outcomes.tokens, row 0", "1.5"]),
        ({"tokens": [-1, 1, 1, 1]}, ["outcomes.tokens, row 0", "-1"]),
        ({"tokens": np.array([1, 2, -3, 4])}, ["outcomes.tokens, row 2", "-3"]),
        ({"correct": [1, 0, 2, 0]}, ["outcomes.correct, row 2", "True or False"]),
        ({"correct": np.array([0, 1, 7, 0])}, ["outcomes.correct, row 2", "bool"]),
        ({"status": "finished"}, ["outcomes.status", "'finished'", "ok, truncated"]),
        ({"status": ["ok", "ok", "ok", 1]}, ["outcomes.status, row 3"]),
        ({"scoring": ["scored"] * 3 + ["maybe"]}, ["outcomes.scoring, row 3", "not_scorable"]),
        ({"rewards": [0] * 4}, ["'rewards'", "did you mean 'reward'?"]),
        ({"reward": [None] * 4, "scoring": "scored"}, ["'scored' without a reward"]),
    ],
)
def test_columns(open_step, change, words):
    controller, ids = open_step
    columns = {"id": ids, "reward": [1.0, 0.0, 1.0, 0.0]} | change
    kind = allot.ConfigError if "rewards" in change else allot.DataError
    refusal(kind, lambda: controller.observe(columns), *words)
    # Nothing was taken in: the right ones still are.
    assert controller.observe({"id": ids, "reward": [1, 0, 1, 0]}).done


def test_ids(open_step):
    controller, ids = open_step

    def observe(ids, **columns):
        return lambda: controller.observe({"id": ids, "reward": [1.0] * len(ids), **columns})

    refusal(allot.DataError, observe([ids[0], ids[0]]), "row 1", "row 0", "one outcome per rollout")
    refusal(allot.InternalError, observe([99]), "99", "was not asked for")
    refusal(allot.InternalError, observe(ids[:1], prompt=[8]), "wrong prompt")
    observe(ids[:1])()
    refusal(allot.InternalError, observe(ids[:1]), "reported before")
    refusal(allot.InternalError, observe([ids[1]], reward=[float("inf")]), "finite")


def test_records(open_step):
    controller, ids = open_step
    observe = controller.observe
    refusal(allot.DataError, lambda: observe([{"reward": 1}]), "row 0", "no id")
    refusal(allot.DataError, lambda: observe([1]), "row 0", "the int 1", "allot.Outcome or a dict")
    refusal(allot.DataError, lambda: observe("x"), "'x'", "allot.Outcomes")
    refusal(allot.DataError, lambda: observe(ids), "an array of int64")
    refusal(allot.ConfigError, lambda: observe([{"id": 1, "rward": 2}]), "did you mean 'reward'?")
    refusal(allot.ConfigError, lambda: allot.Outcome(id=1, rewrd=2), "did you mean 'reward'?")
    refusal(allot.DataError, lambda: allot.Outcomes(reward=[1]), "without 'id'")


# ---- order of calls, saved state


def test_calls_out_of_order():
    controller = allot.Controller("grpo")
    refusal(allot.InternalError, controller.finalize, "no step is open")
    refusal(allot.InternalError, controller.observe, "no step is open")
    refusal(allot.InternalError, lambda: controller.feedback(True), "no finalized step")
    controller.plan([1])
    refusal(allot.InternalError, lambda: controller.plan([1]), "still open")
    refusal(allot.InternalError, lambda: controller.observe(more_prompts=[2]), "0 were wished for")


def test_policy_and_feedback():
    controller = allot.Controller("grpo")
    controller.plan([1], policy=3)
    controller.observe(deadline=True)
    controller.finalize()
    refusal(allot.InternalError, lambda: controller.feedback(True), "the batch was empty")
    refusal(
        allot.ConfigError, lambda: controller.feedback(False, items={"ids": [1]}), "feedback.items"
    )
    refusal(
        allot.DataError,
        lambda: controller.feedback(False, items={"rollout": [1], "ratio": [1, 2]}),
        "2 values",
    )
    controller.feedback(False)
    refusal(allot.InternalError, lambda: controller.plan([1], policy=2), "never fall")
    refusal(allot.DataError, lambda: controller.plan([1], policy=-2), "plan.policy")


def test_arguments_of_other_types():
    make = allot.Controller
    refusal(allot.DataError, lambda: make(3), "Controller.method", "the int 3")
    refusal(allot.DataError, lambda: make("grpo", budget=64), "Controller.budget", "allot.Budget")
    refusal(allot.DataError, lambda: make("grpo", host={}), "Controller.host", "allot.Host")
    refusal(allot.DataError, lambda: make("grpo", seed=-1), "Controller.seed", "-1")
    refusal(allot.DataError, lambda: make("grpo").plan([1], budget=64), "plan.budget")
    refusal(allot.DataError, lambda: make("grpo").save(-1), "save.dataset_hash", "-1")
    refusal(allot.DataError, lambda: make("grpo").load("blob"), "load.blob", "the str 'blob'")
    refusal(allot.DataError, lambda: make("grpo").record(1.5), "record.prompt", "1.5")


def test_saved_state():
    blob = allot.Controller("grpo").save(dataset_hash=1)
    refusal(allot.ModelError, lambda: allot.Controller("grpo").load(blob, 2), "0x1", "0x2")
    refusal(allot.ModelError, lambda: allot.Controller("aero").load(blob, 1), "'grpo'", "'aero'")
    refusal(allot.ModelError, lambda: allot.Controller("grpo", seed=1).load(blob, 1), "seed")
    refusal(allot.ModelError, lambda: allot.Controller("grpo").load(b"", 1))
    refusal(allot.ModelError, lambda: allot.Controller("grpo").load(blob[:-3], 1))
    damaged = bytearray(blob)
    damaged[len(blob) // 2] ^= 1
    refusal(allot.ModelError, lambda: allot.Controller("grpo").load(bytes(damaged), 1))


def test_other_functions():
    refusal(allot.DataError, lambda: allot.prompt_id(3), "prompt_id", "the int 3")
    refusal(allot.ConfigError, lambda: allot.simulate(["areo"]), "did you mean 'aero'?")
    refusal(allot.ConfigError, lambda: allot.simulate(pool="hrad"), "hard")
    refusal(allot.ConfigError, lambda: allot.simulate(seed_count=3), "'seed_count'")
    verify = allot.verify
    refusal(allot.ConfigError, lambda: verify("adition", "5", answer="5"), "mean 'addition'?")
