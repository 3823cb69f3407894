"""Every method through the four verbs, as a host in Python calls them."""

import allot
import numpy as np
import pytest
from decisions import trace
from world import World, columns, events, records

NAMES = [method.name for method in allot.methods()] + ["mopps+aero", "greso+ar3po"]


def run(name, steps=4, report=columns, seed=0):
    controller = allot.Controller(name, seed=seed)
    return [trace(event) for event in events(controller, World(), steps, report)]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_a_function_of_seed_and_outcomes(name):
    assert run(name) == run(name)


@pytest.mark.parametrize("name", NAMES)
def test_columns_and_records_mean_the_same(name):
    assert run(name) == run(name, report=records)


@pytest.mark.parametrize("name", NAMES)
def test_saving_at_every_event_changes_nothing(name):
    controller, got = allot.Controller(name), []
    for event in events(controller, World(), 4):
        got.append(trace(event))
        blob = controller.save(dataset_hash=5)
        fresh = allot.Controller(name)
        fresh.load(blob, dataset_hash=5)
        assert fresh.save(dataset_hash=5) == blob
        controller._core = fresh._core  # the run goes on with what was loaded
    assert got == run(name)


@pytest.mark.parametrize("name", NAMES)
def test_batches_name_what_was_asked_for(name):
    controller = allot.Controller(name)
    asked = {}
    for kind, value in events(controller, World(), 4):
        if kind in ("plan", "observe"):
            assert len(value.generate.ids()) == value.generate.n.sum()
            asked |= dict(zip(value.generate.ids().tolist(), value.generate.prompts().tolist()))
        if kind == "finalize":
            assert [asked[i] for i in value.rollout.tolist()] == value.prompt.tolist()
            assert value.offsets[-1] == len(value) == value.groups.count.sum()
            assert np.isfinite(value.advantage).all() and np.isfinite(value.weight).all()
            assert (value.groups.prompt[value.group] == value.prompt).all()


def test_order_of_outcomes_does_not_matter():
    def shuffled(values):
        order = np.random.default_rng(3).permutation(len(values["id"]))
        return {name: column[order] for name, column in values.items()}

    assert run("aero") == run("aero", report=shuffled)


def test_policy_counts_updates_and_resumes():
    controller = allot.Controller("grpo")
    for _ in events(controller, World(), 3):
        pass
    assert controller.policy == 3 and controller.step == 3
    other = allot.Controller("grpo")
    other.load(controller.save())
    assert other.policy == 3 and other.step == 3


def test_overlap_of_one_step():
    controller, world = allot.Controller("grpo", group_size=2), World()
    first = controller.plan([3, 4])
    controller.observe(world.outcomes(first, 0))
    controller.finalize()
    second = controller.plan([5, 6])  # before the feedback of the first
    controller.feedback(True)
    assert controller.policy == 1
    controller.observe(world.outcomes(second, 1))
    controller.finalize()
    controller.feedback(False)
    assert controller.policy == 1


def test_deadline_ends_a_step():
    controller = allot.Controller("aero")
    plan = controller.plan([1, 2, 3])
    plan = controller.observe(deadline=True)
    assert plan.done and len(controller.finalize()) == 0


def test_metrics_and_records():
    controller = allot.Controller("aero")
    for _ in events(controller, World(), 2):
        pass
    metrics = controller.metrics()
    assert 0 < metrics["reward/first_round"] < 1
    assert any(name.startswith("alloc/aero/") for name in metrics)
    known = controller.records()
    assert known.prompt.tolist() == list(range(16)) and known.trials.dtype == np.float64
    one = controller.record(3)
    assert one is not None and one.successes == known.successes[3]
    assert one.last_cause in allot.ZERO_CAUSES
    assert controller.record(999) is None
