"""A run that is killed anywhere goes on as if it had not been."""

import allot
import pytest
import world
from fake import Killed, Sampler, Server

METHODS = ["aero", "ar3po", "speed", "cero"]
STEPS = 6


def until_done(folder, method, server, faults):
    """Starts the run again after every kill. Decisions of all starts, a step may be there twice."""
    kills, decisions = 0, []
    # Each fault once: the number counts over all starts.
    server.fault = lambda call, number: faults.pop((call, number), None)
    while True:
        try:
            session = world.run(server, method, STEPS, decisions=decisions, folder=folder)
            return session, kills
        except Killed:
            kills += 1


@pytest.mark.parametrize("method", METHODS)
def test_killed_between_any_two_calls(tmp_path, method):
    """At every call of a whole run once, before it or after it."""
    server = Server()
    whole = world.run(server, method, STEPS, folder=tmp_path / "whole")
    counts = dict(server.calls)
    assert counts["optim_step"] > STEPS
    places = [(call, number) for call, count in counts.items() for number in range(count)]
    for i, place in enumerate(places):
        if place[0] == "sample" and i % 9:  # one in nine of the many
            continue
        kind = ("kill", "kill after")[i % 2]
        session, kills = until_done(tmp_path / f"{i}", method, Server(), {place: kind})
        assert kills == 1, place
        assert world.same(session.weights, whole.weights), place
        steps = [one["step"] for one in session.decisions]
        assert set(steps) == set(range(STEPS)) and len(steps) <= STEPS + 2
        assert all(one == whole.decisions[one["step"]] for one in session.decisions), place


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
        ({"method": "grpo"}, r"written with method 'aero'; 'grpo' is given"),
        ({"group_size": 8}, r"written with group_size 4; 8 is given"),
        ({"temperature": 0.7}, r"written with temperature 1\.0; 0\.7 is given"),
        ({"data": world.data(23)}, r"data set"),
        ({"seed": 4}, r"seed"),
    ],
)
def test_another_run_does_not_go_on_from_it(tmp_path, change, said):
    world.run(Server(), "aero", 2, folder=tmp_path)
    server = Server()
    server.saved.update(world_saved(tmp_path))
    with pytest.raises(allot.ModelError, match=said):
        world.run(server, **{"method": "aero", "steps": 4, "folder": tmp_path, **change})


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
