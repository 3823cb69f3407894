"""The environment of these tests is the one that adapters.json pins."""

import json
from importlib.metadata import version
from pathlib import Path

from allot import adapters


def test_the_pinned_versions_are_here():
    entries = json.loads((Path(adapters.__file__).parent / "adapters.json").read_text())["adapters"]
    pins = next(entry["tested_with"] for entry in entries if entry["host"] == "tinker")
    names = {name: name.split("[")[0] for name in pins}  # extras are no part of a package's name
    assert {name: version(plain) for name, plain in names.items()} == pins
    assert [row.verdict for row in adapters.found() if row.host == "tinker"] == ["ok"]
