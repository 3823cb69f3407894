"""These tests need tinker; without it none of them is looked at."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "examples")]
# This very folder can be found as a package without an origin; tinker has one.
spec = importlib.util.find_spec("tinker")
collect_ignore_glob = [] if spec and spec.origin else ["test_*.py"]


@pytest.fixture
def logs(monkeypatch):
    """Of every session that is made in the test, what its Controller decides."""
    import decisions
    from allot.tinker import session

    made, controller_of = [], session.controller_of

    def logged(*given):
        made.append(decisions.Log(controller_of(*given)))
        return made[-1]

    monkeypatch.setattr(session, "controller_of", logged)
    return made


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real one, started once for all tests; a test that kills it starts it again."""
    from real_server import SkyRL

    devices = int(os.environ.get("ALLOT_TINKER_DEVICES", "1"))  # virtual ones, to shard over
    started = SkyRL(tmp_path_factory.mktemp("skyrl"), devices)
    yield started
    started.kill()
