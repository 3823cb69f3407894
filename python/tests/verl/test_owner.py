"""The owner of the Controller, called as workers and trainer call it, in any order of arrival."""

import asyncio
import random
from types import SimpleNamespace

import allot
import pytest
from allot.verl.owner import Made, Owner, flat_prompts

HOST = {"grain": "request", "cancel": False, "exemplar": False, "entropy": False}


def owner(method="aero", seed=0, **options):
    return Owner(method, {"group_size": 4, **options}, HOST, seed=seed)


def rate(prompt):
    return (prompt % 10) / 10


def reward(prompt, step, seq):
    return float(random.Random(f"{prompt}/{step}/{seq}").random() < rate(prompt))


def outcome(seq, value, **changes):
    base = {"status": "ok", "scoring": "scored", "tokens": 3, "reward": value, "metric": value}
    return {"seq": seq, **base, "mean_logprob": 0.0, **changes}


async def worker(own, start, step, delays, broken, dying):
    """A prompt's life in an agent-loop worker, which answers whenever it likes, or ends before."""
    if start.prompt in dying:
        dying.remove(start.prompt)
        await asyncio.sleep(delays.random() / 1000)
        await own.close(start.uid)
        return
    wanted = await own.start(start.uid)
    while wanted:
        outcomes = []
        for one in wanted:
            for seq in range(one.first, one.first + one.n):
                if (start.prompt, seq) in broken:
                    outcomes.append(outcome(seq, None, status="failed", tokens=0))
                else:
                    outcomes.append(outcome(seq, reward(start.prompt, step, seq)))
        delays.shuffle(outcomes)
        await asyncio.sleep(delays.random() / 1000)
        wanted = await own.observe(start.uid, outcomes)
    await own.close(start.uid)


async def one_step(own, prompts, delays, pool=(), lost=(), broken=(), dying=(), **budget):
    step, _ = await own.step()
    await own.plan([(p, 0, None, None) for p in prompts], budget, lost)
    tasks, pool, trace, dying = [], list(pool), [], set(dying)
    while True:
        wish = await own.wait()
        for start in wish.starts:
            trace.append((start.prompt, start.n))
            tasks.append(asyncio.create_task(worker(own, start, step, delays, broken, dying)))
        if wish.refill:
            more, pool = pool[: wish.refill], pool[wish.refill :]
            await own.more([(p, 0, None, None) for p in more])
        if wish.done:
            break
    await asyncio.gather(*tasks)
    shipment = await own.finalize()
    await own.feedback(bool(shipment.groups))
    items = [
        (group.prompt, item.rollout, item.advantage, item.weight, item.omega)
        for group in shipment.groups
        for item in group.items
    ]
    return trace, items, shipment


def alone(method, steps, prompts, pool=(), broken=(), **options):
    """The same run by a plain loop over a Controller."""
    controller = allot.Controller(method, seed=0, group_size=4, **options)
    out = []
    for step in range(steps):
        plan, left, trace = controller.plan(list(prompts)), list(pool), []
        while not plan.done:
            rows = []
            for request in plan.generate:
                if request.round == 0:
                    trace.append((request.prompt, request.n))
                for i in range(request.n):
                    seq = request.first_seq + i
                    failed = (request.prompt, seq) in broken
                    rows.append(
                        {
                            "id": request.first + i,
                            "reward": None if failed else reward(request.prompt, step, seq),
                            "tokens": 0 if failed else 3,
                            "status": "failed" if failed else "ok",
                            "scoring": "scored",
                        }
                    )
            more, left = left[: plan.refill], left[plan.refill :]
            plan = controller.observe(rows or None, more_prompts=more if plan.refill else None)
        batch = controller.finalize()
        controller.feedback(updated=len(batch) > 0)
        weights = batch.token_weights([3] * len(batch))
        columns = (batch.prompt, batch.rollout, batch.advantage, batch.weight, weights)
        out.append((trace, list(zip(*(column.tolist() for column in columns)))))
    return out


CASES = [
    ("grpo", {}),
    ("aero", {"explore": 2}),
    ("ar3po", {}),
    ("reinforce_ada", {}),
    ("dapo", {}),
    ("evidence", {}),
    ("mopps+aero", {}),
]


@pytest.mark.parametrize("method,options", CASES)
@pytest.mark.parametrize("shuffle", [1, 2])
def test_whatever_the_order_of_arrival_decisions_are_those_of_a_plain_loop(
    method, options, shuffle
):
    async def run():
        own, delays = owner(method, **options), random.Random(shuffle)
        return [await one_step(own, range(12), delays, pool=range(100, 140)) for _ in range(3)]

    found = asyncio.run(run())
    expected = alone(method, 3, range(12), pool=range(100, 140), **options)
    for (trace, items, _), (trace_alone, items_alone) in zip(found, expected):
        assert trace == trace_alone
        assert items == items_alone and items


def test_failed_rollouts_are_outcomes_and_are_never_shipped():
    broken = {(5, 0), (5, 1), (6, 0), (6, 1), (6, 2), (6, 3)}

    async def run():
        return await one_step(owner("grpo"), range(12), random.Random(0), broken=broken)

    trace, items, shipment = asyncio.run(run())
    ((_, expected),) = alone("grpo", 1, range(12), broken=broken)
    assert items == expected
    sessions = {shipment.made[rollout].session for _, rollout, *_ in items}
    assert sessions and not any(
        session.endswith(f"p{prompt:016x}_{seq}") for session in sessions for prompt, seq in broken
    )


@pytest.mark.parametrize("method,options", CASES)
@pytest.mark.parametrize("shuffle", [1, 2])
def test_prompts_whose_worker_ends_without_a_report_have_failed(method, options, shuffle):
    """Their first rollouts, as if each had failed; a method that wants more of them has it."""
    first = alone(method, 1, range(12), pool=range(100, 140), **options)[0][0]
    broken = {(p, seq) for p, n in first if p in (3, 5, 101) for seq in range(n)}

    async def run():
        own, delays = owner(method, **options), random.Random(shuffle)
        step = one_step(own, range(12), delays, range(100, 140), broken=broken, dying={3, 5, 101})
        return await asyncio.wait_for(step, 20)

    _, items, _ = asyncio.run(run())
    ((_, expected),) = alone(method, 1, range(12), pool=range(100, 140), broken=broken, **options)
    assert items == expected and items


def test_a_prompt_that_fails_after_a_round_ends_the_step_all_the_same():
    async def run():
        own = owner("aero", explore=2)
        await own.plan([(1, 0, None, None)], {}, [])
        (start,) = (await own.wait()).starts
        await own.start(start.uid)
        task = asyncio.create_task(own.observe(start.uid, [outcome(i, 0.0) for i in range(2)]))
        assert await asyncio.wait_for(task, 5), "no second round"
        await own.close(start.uid)
        seen = []
        while not (wish := await asyncio.wait_for(own.wait(), 5)).done:
            seen += [one.uid for one in wish.starts]
            for one in wish.starts:
                await own.close(one.uid)
        return start.uid, seen

    uid, again = asyncio.run(run())
    assert set(again) <= {uid}


def test_sessions_are_named_for_the_queue():
    async def run():
        return await one_step(owner("aero", explore=2), range(12), random.Random(0))

    _, items, shipment = asyncio.run(run())
    for prompt, rollout, *_ in items:
        made = shipment.made[rollout]
        uid, seq = made.session.split("_")  # no other underscore: the queue's keys are split at it
        assert uid == f"allot0p{prompt:016x}" and int(seq) >= 0
        assert made.reward == reward(prompt, 0, int(seq))


def test_what_filter_groups_looks_at_is_the_whole_group():
    async def run():
        return await one_step(owner("grpo", ship_zero=True), [0, 5, 10, 15], random.Random(0))

    _, _, shipment = asyncio.run(run())
    same = {p for p in (0, 5, 10, 15) if len({reward(p, 0, i) for i in range(4)}) == 1}
    assert shipment.flat == same and {0, 10} <= same


def test_a_failed_rollout_has_no_value_that_differs():
    def made(prompt, *values):
        return {
            100 * prompt + i: Made(f"u_{i}", prompt, 0, 1, value, value)
            for i, value in enumerate(values)
        }

    several = made(1, 1, 1, 1, None) | made(2, 1, 0, None) | made(3, None, None) | made(4, 1)
    assert flat_prompts(several | made(5, 0, 0) | {599: Made("u_9", 5, 0, 1, 1, 1)}) == {1, 3}


def test_scored_rollouts_without_the_metric_are_counted():
    async def run():
        own = owner("grpo")
        await own.plan([(1, 0, None, None)], {}, [])
        (start,) = (await own.wait()).starts
        values = [outcome(0, 1.0, metric=None), outcome(1, 0.0), outcome(2, None), outcome(3, 1.0)]
        values[2]["scoring"] = "not_scorable"
        await own.observe(start.uid, values)
        return await own.finalize()

    assert asyncio.run(run()).unmeasured == 1


def test_saved_and_restored_it_decides_as_if_never_stopped():
    async def run(stop):
        own, delays = owner("ar3po"), random.Random(3)
        out = []
        for step in range(4):
            if step == stop:
                state = await own.save(7)
                own = owner("ar3po")
                await own.load(state, 7)
            out.append((await one_step(own, range(12), delays))[:2])
        return out

    assert asyncio.run(run(2)) == asyncio.run(run(None))


def test_an_error_of_the_controller_reaches_the_trainer_and_lets_workers_go():
    async def run():
        own = owner("grpo")
        await own.plan([(1, 0, None, None), (2, 0, None, None)], {}, [])
        starts = (await own.wait()).starts
        await own.start(starts[0].uid)
        bad = [outcome(seq, 1.0, tokens=-1) for seq in range(4)]
        answer = await asyncio.wait_for(own.observe(starts[0].uid, bad), 5)
        with pytest.raises(allot.Error, match="tokens"):
            await own.wait()
        return answer

    assert asyncio.run(run()) == []


def test_a_step_in_which_everything_failed_is_an_error():
    async def run():
        own = owner("grpo")
        await own.plan([(1, 0, None, None)], {}, [])
        (start,) = (await own.wait()).starts
        (wanted,) = await own.start(start.uid)
        failed = {"status": "failed", "tokens": 0, "failure": "ValueError: no engine"}
        await own.observe(start.uid, [outcome(i, None, **failed) for i in range(wanted.n)])
        await own.finalize()

    with pytest.raises(allot.DataError, match="none of the 4 rollouts.*ValueError: no engine"):
        asyncio.run(run())


def test_a_worker_says_why_a_rollout_has_no_score():
    from allot.verl.manager import AllotWorker, VerifierFailed

    worker = AllotWorker.__new__(AllotWorker)
    worker._outcomes, worker._correct = {}, None
    ends = [VerifierFailed("ValueError: no unit"), ConnectionError("no engine"), None]
    found = [worker._outcome("allot0p1", seq, end) for seq, end in enumerate(ends)]
    assert [(one["status"], one["scoring"], one["failure"]) for one in found] == [
        ("ok", "verifier_error", "ValueError: no unit"),
        ("failed", "scored", "ConnectionError: no engine"),
        ("failed", "scored", "its agent loop had no output"),
    ]


@pytest.mark.parametrize("broken", ["running", "failure", "finished", "observe", None])
def test_a_worker_closes_its_prompt_whatever_fails(broken):
    """The queue or the owner; nothing else tells the trainer that the prompt has ended."""
    from allot.verl.manager import AllotWorker

    told = []

    def remote(name, answer):
        async def call(*given):
            told.append(name)
            if name == broken:
                raise ConnectionError(name)
            return answer

        return SimpleNamespace(remote=call)

    class Worker(AllotWorker):
        async def _publish(self, uid, status):
            if status == broken:
                raise ConnectionError(status)

        async def _round(self, *given):
            if broken == "failure":
                raise ValueError("no engine")
            return []

    worker = Worker.__new__(Worker)
    worker._owner = SimpleNamespace(
        start=remote("start", [1]), observe=remote("observe", []), close=remote("close", None)
    )
    try:
        asyncio.run(worker._run_prompt({"uid": "allot0p1"}, {}, {"validate": False}))
    except ConnectionError as error:
        assert str(error) == broken
    assert told[-1] == "close" and told.count("close") == 1


def test_a_method_that_cancels_is_refused():
    with pytest.raises(allot.ConfigError, match="cancel"):
        owner("optpo")
