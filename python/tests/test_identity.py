"""What stands for a data set in a checkpoint: its prompts and answers, in any order."""

import random

import allot
import numpy as np
import pytest
from allot import statefile
from allot.identity import Identity, Index


def hash_of(rows, key="id"):
    return Index(rows, Identity(key, None, "trl")).hash


def rows_of(count):
    return [{"id": i, "prompt": f"{i} + 1", "answer": str(i + 1)} for i in range(count)]


@pytest.mark.parametrize("key", ["id", None])
def test_every_number_of_rows_has_a_hash_of_its_own(key):
    found = {hash_of(rows_of(count), key) for count in range(201)}
    assert len(found) == 201 and all(0 <= one < 2**64 for one in found)


@pytest.mark.parametrize("column", ["prompt", "answer"])
def test_other_content_under_the_same_ids(column):
    rows = rows_of(24)
    other = [{**row, column: "0"} if row["id"] == 7 else row for row in rows]
    assert hash_of(other) != hash_of(rows)
    swapped = [
        {**row, "answer": rows[one]["answer"]} for row, one in zip(rows, [1, 0, *range(2, 24)])
    ]
    assert hash_of(swapped) != hash_of(rows)


def test_what_is_no_part_of_the_data_does_not_count():
    """The order of rows and columns, a row that is there twice, beliefs, places in memory."""
    rows = rows_of(24)
    mixed = [dict(reversed(row.items())) for row in rows] + [rows[5]]
    random.Random(1).shuffle(mixed)
    assert hash_of(mixed) == hash_of(rows)
    assert hash_of([{**row, "prior_pass_rate": 0.5} for row in rows]) == hash_of(rows)
    pictures = [[{**row, "image": object()} for row in rows] for _ in range(2)]
    assert hash_of(pictures[0]) == hash_of(pictures[1])


def test_a_file_of_the_version_before_is_refused(tmp_path):
    """Its hash is another one; the message is of the version, and not of other data."""
    header = np.frombuffer(b'{"version": 1, "method": "grpo"}', np.uint8)
    np.savez(tmp_path / statefile.FILE, header=header, controller=header)
    said = r"\[trl\] .*allot\.npz has version 1, of another release of allot; 2 is needed. Hint"
    with pytest.raises(allot.ModelError, match=said):
        statefile.load(tmp_path, "trl", "")


def test_options_in_force():
    """Defaults are there, and every way of naming an option comes to the same."""
    plain = statefile.in_force("allocation", "aero", {})
    assert plain["allocation.method"] == "aero" and plain["allocation.explore"] == 0
    assert plain["allocation.group_size"] == 8 and plain["allocation.adv_scale"] == "group"
    one = {"explore": 4, "adv_scale": "none", "n_max": 9}
    other = {
        "aero": {"explore": np.int64(4)},
        "adv": {"scale": "none"},
        "aero_n_max": "9",
        "group_size": None,
    }
    allot.Controller("aero", **other)  # it knows them all
    found = statefile.in_force("allocation", "aero", one)
    assert found == statefile.in_force("allocation", "aero", other) != plain
    pair = statefile.in_force("allot", "mopps+aero", {"aero_high": 0.4})
    assert pair["allot.aero_high"] == 0.4 and pair["allot.mopps_high"] == 0.7
