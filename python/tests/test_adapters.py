"""The declarations of the adapters, and what doctor makes of them and of what is installed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import allot
import pytest
from allot import adapters

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT, PAGE = ROOT / "pyproject.toml", ROOT / "docs" / "adapters.md"


def run(*arguments, path=""):
    folders = os.pathsep.join([str(Path(allot.__file__).parents[1]), str(path)])
    command = [sys.executable, "-m", "allot", *arguments]
    env = {**os.environ, "PYTHONPATH": folders}
    return subprocess.run(command, capture_output=True, text=True, env=env)


@pytest.fixture
def other_hosts(tmp_path):
    """Packages that are there by their metadata only: doctor must not import them."""
    for name, version in (("trl", "0.99.0"), ("torch", "2.12.1+cpu")):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(metadata)
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    return tmp_path


def test_doctor_prints_what_is_here(other_hosts):
    said = run("doctor", path=other_hosts)
    assert said.returncode == 0, said.stderr
    assert allot.__version__ in said.stdout and "numpy" in said.stdout
    for row in (
        r"trl +run +trl +0\.99\.0 +>=1\.\S+ +outside the tested range",
        r"trl +run +torch +2\.12\.1\+cpu +\S+ +ok",
        r"verl +unit +verl +- +>=0\.9\.1,\S+ +not installed",
    ):
        assert re.search(f"^{row}$", said.stdout, re.M), said.stdout
    assert run().returncode == run("doctor", "--jsno").returncode == 2


def test_doctor_says_the_same_in_json(other_hosts):
    read = json.loads(run("doctor", "--json", path=other_hosts).stdout)
    assert read["allot"] == allot.__version__
    trl, tinker, verl = read["adapters"]
    assert (trl["host"], trl["level"]) == ("trl", "run")
    assert trl["packages"][0]["found"] == "0.99.0"
    assert trl["packages"][0]["verdict"] == "outside the tested range"
    assert (tinker["level"], verl["level"]) == ("run", "unit")
    assert verl["conditions"] == {"P6": "rollout.calculate_log_probs=true"}


def test_ranges():
    tested = ">=1.16,<1.17"
    for inside in ("1.16", "1.16.0", "1.16.12", "1.16.0rc1", "1.16.3+cpu"):
        assert adapters.in_range(inside, tested), inside
    for outside in ("1.15.9", "1.17", "1.17.0.dev0", "2.0", "0.99", "1", "", "unknown"):
        assert not adapters.in_range(outside, tested), outside
    assert adapters.in_range("2.9.1", ">=2.9") and not adapters.in_range("2.9.1", ">=2.11")


def test_what_pip_installs_is_what_was_tested():
    text = PYPROJECT.read_text(encoding="utf-8")
    extras = text[text.index("[project.optional-dependencies]") :]
    for entry in adapters.adapters():
        listed = re.search(rf"^{entry.host} = \[(.*?)\]", extras, re.M | re.S)
        assert bool(listed) == (entry.level != "none"), entry.host
        if listed:
            wanted = re.findall(r'"([\w-]+)([<>=,.0-9]+)"', listed.group(1))
            assert dict(wanted) == dict(entry.packages), entry.host


def test_doctor_shows_what_each_of_them_serves():
    """Also where nothing is installed; the page has the same table."""
    said = run("doctor").stdout
    page = PAGE.read_text(encoding="utf-8")
    rows = adapters.capabilities()
    assert [row[0] for row in rows[1:]] == [f"P{i}" for i in range(1, 9)]
    for row in rows:
        assert re.search(" +".join(map(re.escape, row)), said), row
        assert f"\n| {' | '.join(row)} |\n" in page, row
    for condition in adapters.conditions():
        assert f"\n{condition}\n" in said and f"\n- {condition}\n" in page
    assert max(map(len, said.splitlines())) <= 100
    cells = {host: [row[i] for row in rows[1:]] for i, host in enumerate(rows[0]) if i > 1}
    for entry in adapters.adapters():
        served = [f"P{i}" for i, cell in enumerate(cells[entry.host], 1) if cell != "no"]
        assert served == list(entry.primitives)
        limited = {f"P{i}" for i, cell in enumerate(cells[entry.host], 1) if cell == "if"}
        assert limited == set(entry.conditions)


def test_every_adapter_has_the_tests_that_the_page_lists():
    """For the two adapters of the table, in the files that it names."""
    rows = re.findall(
        r"^\| ([a-j]) \| .* \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M
    )
    assert "".join(letter for letter, *_ in rows) == "abcdefghij"
    for letter, *cells in rows:
        for host, files in zip(("tinker", "verl"), cells):
            for file in re.findall("`(.*?)`", files):
                text = (ROOT / "python" / "tests" / host / file).read_text(encoding="utf-8")
                assert f"def test_adapter_{letter}_" in text, (letter, host, file)


def test_declarations():
    for entry in adapters.adapters():
        assert entry.level in ("run", "unit", "recipe", "none")
        assert set(entry.primitives) <= {f"P{i}" for i in range(1, 9)}
        assert (entry.level == "none") == (not entry.primitives), entry.host
        versions = [trial.version for trial in entry.tried]
        assert len(versions) == len(set(versions)), "one result for each version"
    assert adapters.adapter("trl").packages["trl"]
