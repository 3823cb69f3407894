"""A run that is killed anywhere goes on as if it had not been."""

import allot
import decisions
import pytest
import world
from fake import Killed, Sampler, Server

STEPS = 6
AERO = {"method": "aero"}
FEW = {"steps": 3, "groups": 3}  # of the runs that are ended at each of their calls
CLIENT, SERVER = ("kill", "kill after"), ("die", "die after")
CASES = [
    ("aero", CLIENT, 1),
    ("ar3po", CLIENT, 1),
    ("ar3po", SERVER, 1),
    ("cero", SERVER, 1),
    ("speed", CLIENT, 5),  # one in five of its many calls
]


def until_done(folder, method, server, faults, steps=STEPS, **changes):
    """Starts the run again after every end, and the server where it is gone. Metrics of all starts,
    a step may be there twice."""
    ends, metrics = 0, []
    # Each fault once: the number counts over all starts.
    server.fault = lambda call, number: faults.pop((call, number), None)
    while True:
        try:
            session = world.run(server, method, steps, metrics, folder=folder, **changes)
            return session, ends
        except Killed:
            ends += 1
        except allot.SamplerError:
            assert not server.up
            server.start()
            ends += 1


@pytest.mark.parametrize(("method", "ends", "stride"), CASES)
def test_adapter_d_ended_between_any_two_calls(tmp_path, logs, method, ends, stride):
    """At every call of a whole run, before it is carried out and after: the same samples, weights,
    metrics and decisions."""
    server = Server()
    whole = world.run(server, method, folder=tmp_path / "whole", **FEW)
    samples, log = server.answers, logs.pop()
    places = [(call, number) for call, count in server.calls.items() for number in range(count)]
    assert len(places) > 36 and server.calls["sample"] > 8
    for i, place in enumerate(places[::stride]):
        for kind in ends:
            logs.clear()
            server, faults = Server(), {place: kind}
            session, count = until_done(tmp_path / f"{i} {kind}", method, server, faults, **FEW)
            assert count == 1 and not faults, (place, kind)
            assert world.same(session.weights, whole.weights), (place, kind)
            assert server.answers == samples, (place, kind)
            steps = [one["step"] for one in session.decisions]
            assert set(steps) == set(range(FEW["steps"])) and len(steps) <= FEW["steps"] + 2
            assert all(one == whole.decisions[one["step"]] for one in session.decisions)
            decisions.check_same(logs, log)


@pytest.mark.parametrize("call", ["savez", "fsync", "replace"])
def test_killed_while_the_file_is_written(tmp_path, logs, monkeypatch, call):
    """The checkpoint before it stays whole until the new one is."""
    from allot import statefile

    whole = world.run(Server(), "ar3po", STEPS, folder=tmp_path / "whole")
    log, server = logs.pop(), Server()
    place = statefile.np if call == "savez" else statefile.os
    real, left = getattr(place, call), [2]  # the third time it is called

    def struck(*given, **named):
        left[0] -= 1
        if left[0] == -1:
            raise Killed(call)
        return real(*given, **named)

    monkeypatch.setattr(place, call, struck)
    session, ends = until_done(tmp_path / "run", "ar3po", server, {})
    assert ends == 1 and world.same(session.weights, whole.weights)
    decisions.check_same(logs, log)


def test_killed_again_and_again(tmp_path):
    whole = world.run(Server(), "ar3po", STEPS, folder=tmp_path / "whole")
    faults = {("forward_backward", n): "kill after" for n in (9, 21, 33)}
    faults |= {("save_state", n): "kill after" for n in (1, 4)} | {("sampler", 9): "kill"}
    session, kills = until_done(tmp_path / "killed", "ar3po", Server(), faults)
    assert kills == 6
    assert world.same(session.weights, whole.weights)


def test_a_server_without_seeds_is_noticed(tmp_path, monkeypatch, caplog):
    world.run(Server(), "aero", 1, folder=tmp_path / "one")
    assert "one seed" not in caplog.text
    sequence, calls = Sampler._sequence, iter(range(10**6))
    monkeypatch.setattr(Sampler, "_sequence", lambda self, *a: sequence(self, *a[:2], next(calls)))
    world.run(Server(), "aero", 1, folder=tmp_path / "other")
    assert "[tinker] the server gives one seed different samples" in caplog.text


def test_finished(tmp_path):
    server = Server()
    world.run(server, "aero", 4, folder=tmp_path)
    before = dict(server.calls)
    again = world.run(server, "aero", 4, folder=tmp_path)
    assert again.decisions == [] and again.controller.step == 4
    assert server.calls["sample"] == before["sample"] + 2  # of the start-up
    assert [one["step"] for one in world.run(server, "aero", 6, folder=tmp_path).decisions] == [
        4,
        5,
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "grpo"}, r"other settings: allocation\.method: 'aero' -> 'grpo'; a run .*Hint"),
        ({"method": {**AERO, "explore": 3}}, r"settings: allocation\.explore: 0 -> 3; a run"),
        ({"method": {**AERO, "kept_wrong": 2}}, r"settings: allocation\.kept_wrong: 1 -> 2; a run"),
        ({"method": {**AERO, "adv": {"scale": "none"}}}, r"adv_scale: 'group' -> 'none'; a run"),
        ({"success_threshold": 0.75}, r"settings: success_threshold: 0\.5 -> 0\.75; a run"),
        ({"loss_config": {"clip": 1}}, r"settings: loss_config: None -> {'clip': 1}; a run"),
        ({"budget": allot.Budget(groups=2)}, r"budget: None -> 'allot\.Budget\(groups=2\)'; a run"),
        ({"group_size": 8}, r"settings: allocation\.group_size: 4 -> 8; a run"),
        ({"temperature": 0.7}, r"settings: temperature: 1\.0 -> 0\.7; a run"),
        ({"data": world.data(23)}, r"data set"),
        ({"data": world.data(20)}, r"data set"),  # XOR of the ids 0 .. n - 1 is 0 for n = 4 k
        ({"data": world.data(16)}, r"data set"),
        ({"data": [{**row, "floor": 8 - row["floor"]} for row in world.data()]}, r"data set"),
        ({"seed": 4}, r"seed"),
    ],
)
def test_another_run_does_not_go_on_from_it(tmp_path, change, said):
    world.run(Server(), "aero", 2, folder=tmp_path)
    server = Server()
    server.saved.update(world_saved(tmp_path))
    with pytest.raises(allot.ModelError, match=said):
        world.run(server, **{"method": "aero", "steps": 4, "folder": tmp_path, **change})


def test_what_a_resumed_run_may_change(tmp_path):
    """Learning rate, time limits, places of work; and the same options, given in another way."""
    server, started = Server(), {**AERO, "explore": 2, "adv_scale": "none"}
    world.run(server, started, 2, folder=tmp_path, stop=(0,), loss_config={"clip": 1})
    changes = {"learning_rate": 0.1, "timeout_s": 30, "retries": 9, "in_flight": 2, "save_every": 1}
    again = {"aero": {"explore": "2"}, "adv": {"scale": "none"}, **AERO}
    session = world.run(
        server, again, 4, folder=tmp_path, stop=[0], loss_config={"clip": 1.0}, **changes
    )
    assert [one["step"] for one in session.decisions] == [2, 3]


def world_saved(folder):
    """The states of a server that is gone, made again under the names that the file has."""
    from allot import statefile

    server = Server()
    world.run(server, "aero", 2, folder=folder / "again")
    header, _ = statefile.load(folder, "tinker", "")
    return {header["server_state"]: next(iter(server.saved.values()))}


def test_the_file_without_the_state(tmp_path):
    world.run(Server(), "aero", 2, folder=tmp_path)
    with pytest.raises(allot.SamplerError, match=r"create_training_client_from_state_with_optim"):
        world.run(Server(), "aero", 4, folder=tmp_path)
