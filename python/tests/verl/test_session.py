"""What the trainer's side keeps between steps."""

from types import SimpleNamespace

import numpy as np
from allot.held import Held
from allot.verl.session import Session


def shipment(hold, release=()):
    return SimpleNamespace(hold=np.array(hold), release=np.array(release, dtype=np.int64))


def test_what_a_later_wave_releases_is_not_lost():
    """The Controller refuses a lost rollout that it does not hold any more."""
    session = Session.__new__(Session)
    session._held = Held(2 / 2**20, lambda rows: 1)
    session._shipments = [shipment([1, 2, 3, 4]), shipment([5], release=[1, 3])]
    session._hold(dict.fromkeys(range(6), "rows"))
    assert list(session._held.held) == [4, 5] and session._held.take_lost() == [2]
