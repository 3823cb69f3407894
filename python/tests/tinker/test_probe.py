"""The start-up probe names the rule of every kind of server it knows, and refuses the others."""

import allot
import allot.tinker
import pytest
import world
from allot.tinker import Rule
from allot.tinker.probe import fits, predicted, probe_batches
from allot.tinker.rows import Row
from allot.tinker.rule import known_rules
from fake import Server

RULES = {
    ("sum", True): Rule("sum", "sum"),
    ("sum", False): Rule("sum", "sum", weights=False),
    ("skyrl", True): Rule("mean", "row", "completion", "pool"),
    ("skyrl", False): Rule("mean", "row", "all", "pool", weights=False),
    ("batch", True): Rule("sum", "batch", "completion", "add"),
    ("batch", False): Rule("sum", "batch", "all", "add", weights=False),
    ("rows", True): Rule("mean", "sum", calls="add"),
}


def engine_of(server, **changes):
    settings = allot.tinker.Settings(**{**world.SETTINGS, **changes})
    return allot.tinker.Engine(world.Watched(server), "fake", 8, settings)


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo"])
@pytest.mark.parametrize(("divisor", "weights"), RULES)
def test_rule(divisor, weights, loss):
    engine = engine_of(Server(divisor, takes_weights=weights), loss=loss)
    assert allot.tinker.measure(engine, [5, 2, 6]) == RULES[divisor, weights]


@pytest.mark.parametrize("weights", [True, False])
def test_every_rule_can_be_told_from_every_other(weights):
    short, long = Row([1] * 6, [2] * 2, [0] * 2, 1.0), Row([1] * 6, [2] * 8, [0] * 8, 1.0, pushed=2)
    batches = probe_batches(short, long)
    rules = known_rules(weights)
    for rule in rules:
        base = predicted(rule, batches["one row"])
        ratios = {name: predicted(rule, calls) / base for name, calls in batches.items()}
        assert [other for other in rules if fits(other, batches, ratios)] == [rule]


def test_a_server_that_fits_no_rule_is_refused():
    with pytest.raises(
        allot.ConfigError, match=r"follows none of the known rules.*1\.000 for twic"
    ):
        world.run(Server("whiten"), "aero")


def test_a_server_that_names_no_gradient_norm():
    with pytest.raises(allot.ConfigError, match=r"returned the metrics none; a gradient norm is"):
        world.run(Server(names_norm=False), "aero")
    stated = world.run(Server(names_norm=False), "aero", rule=RULES["skyrl", True])
    assert world.same(stated.weights, world.run(Server(), "aero").weights)


def test_the_probe_leaves_no_trace():
    """Weights, moments and step counter of the optimizer are those of a run that was told."""
    told = world.run(Server(), "aero", rule=RULES["skyrl", True])
    found = world.run(Server(), "aero")
    assert world.same(told.weights, found.weights)
    assert told.decisions == found.decisions


def test_an_update_without_a_rule():
    session = allot.tinker.Session(engine_of(Server()), world.data(), world.reward, "aero")
    with pytest.raises(allot.InternalError, match=r"Hint: engine\.use\(allot\.tinker\.measure"):
        session.step()
    with pytest.raises(allot.InternalError, match=r"the step before this one was not finished"):
        session.step()
