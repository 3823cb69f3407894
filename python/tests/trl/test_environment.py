"""The environment of these tests is the one that adapters.json pins, and TRL can be imported."""

import json
from importlib.metadata import version
from pathlib import Path

from allot import adapters


def test_the_pinned_versions_are_here():
    entries = json.loads((Path(adapters.__file__).parent / "adapters.json").read_text())["adapters"]
    pins = next(entry["tested_with"] for entry in entries if entry["host"] == "trl")
    assert {name: version(name) for name in pins} == pins
    assert [row.verdict for row in adapters.found() if row.host == "trl"] == ["ok"] * 5


def test_the_trainer_can_be_imported():
    from trl import GRPOConfig, GRPOTrainer

    assert GRPOTrainer.__name__ == "GRPOTrainer" and GRPOConfig.__name__ == "GRPOConfig"
