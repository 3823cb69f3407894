"""Rows of a data set that say how often a prompt is solved, on their way to a method."""

from types import SimpleNamespace

import allot
import pytest
from allot.draws import Draws
from allot.identity import Identity, Index

HOST = "trl"


def index(rates):
    rows = [{"prompt": str(i), "id": i, "prior_pass_rate": rate} for i, rate in enumerate(rates)]
    return Index(rows, Identity("id", ["prompt", "id", "prior_pass_rate"], HOST))


@pytest.mark.parametrize("draw", ["stream", "uniform", "pool"])
def test_the_column_comes_with_the_prompt(draw):
    rates = [0.25, None, 1, float("nan")]
    needs = SimpleNamespace(draw=draw, candidate_factor=1, embedding=False, refill=False)
    shown = Draws(needs, index(rates), 4, 1, "embedding", HOST).draw(0)
    assert {one.id: one.prior_pass_rate for one in shown} == {0: 0.25, 1: None, 2: 1, 3: None}


def test_a_rate_is_a_share():
    for bad in (1.5, -0.1, "high"):
        with pytest.raises(allot.DataError, match="prior_pass_rate"):
            index([0.5, bad])


def test_data_without_the_column_say_nothing():
    rows = [{"prompt": str(i)} for i in range(3)]
    plain = Index(rows, Identity(None, ["prompt"], HOST))
    assert [plain.prior_pass_rate(prompt) for prompt in plain.ids.tolist()] == [None] * 3
