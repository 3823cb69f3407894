"""Servers that misbehave: a request is repeated until its answer is whole, or the run stops; no
outcome is counted twice, and no decision depends on what went wrong."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import allot
import allot.tinker
import pytest
import tinker
import world
from allot.tinker import rollouts
from fake import CLOCK, END, PATIENCE_S, Server

TRANSIENT = ["drop", "late", "error", "double", "fewer", "nan", "short"]
MANY = 50  # retries where every n-th call fails: one request may have several of them in a row


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Answers that never come are given up by the fake's clock, at once."""
    monkeypatch.setattr(rollouts, "time", CLOCK)


def every(n, fault, call="sample"):
    return lambda name, number: fault if name == call and number % n == 1 else None


def plain(session):
    """Decisions without the count of repetitions."""
    return [
        {name: value for name, value in one.items() if name != "tinker/requests_repeated"}
        for one in session.decisions
    ]


@pytest.mark.parametrize("fault", TRANSIENT)
@pytest.mark.parametrize("method", ["aero", "ar3po"])
def test_a_faulty_answer_is_asked_for_again(method, fault):
    calm = world.run(Server(), method)
    server = Server(fault=every(3, fault))
    session = world.run(server, method, retries=MANY)
    assert world.same(session.weights, calm.weights)
    assert plain(session) == plain(calm)
    faulty = (server.calls["sample"] + 1) // 3
    assert sum(one["tinker/requests_repeated"] for one in session.decisions) == faulty > 4
    assert len(server.late) == (faulty if fault == "late" else 0)
    assert all(answer.done() for answer in server.late), "no late answer has come"
    totals = [s.controller.metrics()["rollouts/generated_total"] for s in (session, calm)]
    assert totals[0] == totals[1]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("drop", r"3 attempts\): TimeoutError"),
        ("error", r"3 attempts\): RuntimeError: the server says no"),
        ("refuse", r"1 attempts\): Refused: the server says no"),
        ("double", r"ValueError: 8 sequences for 4 rollouts"),
        ("fewer", r"ValueError: 3 sequences for 4 rollouts"),
        ("nan", r"a log-probability of nan"),
        ("short", r"log-probabilities for \d tokens"),
    ],
)
def test_one_that_stays_faulty_stops_the_run(fault, said):
    server = Server(fault=lambda call, number: fault if call == "sample" else None)
    with pytest.raises(allot.SamplerError, match=rf"\[tinker\] sample failed for prompt.*{said}"):
        world.run(server, "grpo", retries=2)
    assert ("rows", 6) not in server.log and server.calls["optim_step"] == 7  # the probe's


def test_copies_are_found_out():
    """A server that starts every sample of a request from one seed would end all learning."""
    server = Server(fault=lambda call, number: "copies" if call == "sample" else None)
    with pytest.raises(allot.SamplerError, match=r"16 samples that are copies of one"):
        world.run(server, "grpo", retries=0, group_size=16, groups=2)
    world.run(server, "grpo", 1, retries=0, group_size=16, groups=2, temperature=0.1)


@pytest.mark.parametrize("fault", ["drop", "late", "error", "nan", "short", "fewer"])
def test_training_calls_are_not_repeated(tmp_path, fault):
    """A gradient that may have been added is never added again: the run stops, and goes on from its
    checkpoint."""
    whole = world.run(Server(), "aero", 6, folder=tmp_path / "whole")
    server = Server(fault=lambda call, n: fault if (call, n) == ("forward_backward", 12) else None)
    with pytest.raises(
        allot.SamplerError, match=r"\[tinker\] forward_backward .*Hint: the run goes"
    ):
        world.run(server, "aero", 6, folder=tmp_path / "run")
    assert server.calls["forward_backward"] == 13
    again = world.run(server, "aero", 6, folder=tmp_path / "run")
    assert world.same(again.weights, whole.weights)


def test_an_update_that_is_no_number(tmp_path):
    """The run stops before it saves such weights over its last good checkpoint."""
    whole = world.run(Server(), "aero", 4, folder=tmp_path / "whole")
    server = Server(fault=lambda call, n: "nan" if (call, n) == ("optim_step", 10) else None)
    with pytest.raises(allot.SamplerError, match=r"optim_step returned {'fake/grad_norm': nan}"):
        world.run(server, "aero", 4, folder=tmp_path / "run")
    again = world.run(server, "aero", 4, folder=tmp_path / "run")
    assert world.same(again.weights, whole.weights)


@pytest.mark.parametrize(("limit", "together"), [(1, 1), (3, 3), (32, 6)])
def test_requests_in_flight_are_bounded(monkeypatch, limit, together):
    """Those of the first round, one for each of six prompts, wait for each other."""
    from fake import Sampler

    whole = world.run(Server(), "aero")
    now, most, lock, met = [0], [0], threading.Lock(), threading.Event()
    sample = Sampler.sample

    def slow(self, prompt, num_samples, sampling_params):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == together:
                met.set()
        assert met.wait(60), f"{together} requests are never in flight together"
        time.sleep(0.002)  # for one more than the limit to show itself
        future = sample(self, prompt, num_samples, sampling_params)
        with lock:
            now[0] -= 1
        return future

    monkeypatch.setattr(Sampler, "sample", slow)
    run = world.run(Server(), "aero", in_flight=limit)
    assert together <= most[0] <= limit
    assert world.same(run.weights, whole.weights)


def test_patience(monkeypatch):
    """By the clock of the machine: an answer is waited for, a missing one is not for ever, and one
    that nobody wants any more is given up soon."""
    monkeypatch.setattr(rollouts, "time", time)
    monkeypatch.setattr(rollouts, "LOOK_UP_S", 0.01)
    over, future = threading.Event(), Future()
    with pytest.raises(TimeoutError):
        rollouts.patient(future, 0.05, over)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(rollouts.patient, future, 600, over)
        future.set_result("answer")
        assert waiting.result(60) == "answer"
        unwanted = pool.submit(rollouts.patient, Future(), 600, over)
        over.set()
        assert isinstance(unwanted.exception(60), TimeoutError)


def test_pieces():
    """Requests are cut to the size that the server likes; none is empty."""
    server = Server()
    session = world.run(server, "grpo", samples_per_request=3, group_size=8)
    sizes = [one[2] for one in server.log if one[0] == "sample"]
    assert set(sizes) == {3, 2} and sizes.count(3) == 2 * sizes.count(2)
    seeds = [one[3] for one in server.log if one[0] == "sample"]
    assert len(set(seeds)) == len(seeds)
    assert session.controller.metrics()["rollouts/generated"] == 48


def test_adapter_g_two_clients_have_equal_plans(logs):
    """Of the same run, side by side on one server, which fails every fifth time: neither has
    its answers in the order of the other."""
    server = Server(fault=every(5, "error"))
    with ThreadPoolExecutor(2) as pool:
        start = [
            pool.submit(
                world.run, server, "ar3po", 6, in_flight=n, samples_per_request=2, retries=MANY
            )
            for n in (3, 8)
        ]
    one, other = (run.result() for run in start)
    assert logs[0].steps == logs[1].steps and len(logs[0].steps) == 6
    assert world.same(one.weights, other.weights)
    sent = [len(events[-1][1]) for _, events in logs[0].steps]  # rows of the batches
    assert len(set(sent)) > 1, "nothing was decided"


@pytest.mark.parametrize("method", ["vip", "cero", "dapo", "speed", "mopps"])
def test_never_a_request_for_nothing(method):
    """The fake asserts it: no sample of 0, no forward_backward of no rows."""
    rows = world.data()
    if method == "vip":
        rows = [{**row, "embedding": [float(row["floor"]), 1.0]} for row in rows]
    server = Server()
    session = world.run(server, method, 8, data=rows)
    assert session.controller.step == 8
    assert all(one[2] > 0 for one in server.log if one[0] == "sample")


def test_adapter_e_a_step_without_signal_is_no_update():
    server = Server()
    session = world.run(server, "grpo", 3, reward=lambda completions, **_: [0.0] * len(completions))
    assert server.calls["optim_step"] == 7  # of the probe
    assert server.calls["sampler"] == 1
    assert session.controller.policy == 0
    for one in session.decisions:
        causes = [value for name, value in one.items() if name.startswith("group/zero_cause/")]
        assert one["tinker/rows"] == 0 and sum(causes) == pytest.approx(1)


def test_answers_without_a_token(monkeypatch):
    """Sampling may end before it began; such a rollout is scored, and never a row."""
    from fake import Sampler

    sequence = Sampler._sequence

    def stripped(self, prompt, params, i):
        made = sequence(self, prompt, params, i)
        if made.tokens[0] == END:
            made.tokens, made.logprobs = [], []
        return made

    monkeypatch.setattr(Sampler, "_sequence", stripped)

    def reward(completions, floor, **_):
        return [float(bool(c) and c[0] >= least) for c, least in zip(completions, floor)]

    session = world.run(Server(), "aero", 6, reward=reward)
    assert session.controller.step == 6


def test_adapter_h_an_untested_version(monkeypatch):
    from allot import adapters

    monkeypatch.setattr(adapters, "installed", lambda name: "0.38.0")
    with pytest.raises(allot.ConfigError, match=r"tinker 0\.38\.0 is installed; >=0\.24\.1,<0\.25"):
        world.run(Server(), "aero")
    world.run(Server(), "aero", 1, untested=True)


@pytest.mark.parametrize(
    ("fault", "wait", "said"),
    [
        ("die", PATIENCE_S, r"\[tinker\] the server does not answer: Gone.*Hint: base_url"),
        ("drop", 0.1, r"does not answer: TimeoutError: no answer within 0\.1 s"),
    ],
)
def test_a_server_that_is_down_is_noticed_at_once(fault, wait, said):
    server = Server(fault=lambda call, number: fault)
    with pytest.raises(allot.SamplerError, match=said):
        world.run(server, timeout_s=wait)
    assert set(server.calls) == {"capabilities"}


def test_a_server_that_does_not_know_its_capabilities_is_taken_as_it_is():
    server = Server(fault=lambda call, number: "refuse" if call == "capabilities" else None)
    assert world.same(world.run(server, "aero").weights, world.run(Server(), "aero").weights)


def test_a_model_that_the_server_does_not_have():
    with pytest.raises(allot.ConfigError, match=r"base_model is 'faek'; one of fake is needed"):
        allot.tinker.Engine(world.Watched(Server()), "faek", 8, allot.tinker.Settings())
    server = Server(fault=lambda call, number: "refuse" if call == "create" else None)
    said = (
        r"create_lora_training_client\(base_model='fake', rank=32, seed=0\) failed: Refused.*Hint"
    )
    with pytest.raises(allot.SamplerError, match=said):
        world.run(server)


def test_a_client_without_a_call(monkeypatch):
    from fake import Trainer

    monkeypatch.delattr(Trainer, "load_state_with_optimizer")
    with pytest.raises(allot.ConfigError, match=r"Trainer of tinker .* has no load_state_with_opt"):
        world.run(Server(), "aero")


def test_the_real_client_has_every_call():
    from allot.tinker import guard

    for kind, calls in (
        (tinker.ServiceClient, guard.SERVICE),
        (tinker.TrainingClient, guard.TRAINER),
        (tinker.SamplingClient, guard.SAMPLER),
    ):
        guard.check(kind, calls)
