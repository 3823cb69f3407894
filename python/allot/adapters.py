"""The adapters to other trainers: what adapters.json declares of them, and what is installed.

adapters.json is the one place for ranges, pins and results: `allot doctor` (the C++ program has a
copy of the file inside), `python -m allot doctor`, the adapters' own checks and the set-up of their
tests all read it. Nothing here imports a host.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import allot

NOT_PLANNED_YET = "not part of this version"


@dataclass(frozen=True)
class Trial:
    """One version of the host that the adapter's tests were run against."""

    version: str
    passed: bool
    note: str


@dataclass(frozen=True)
class Adapter:
    host: str
    what: str
    # run: executed end to end in the tests; unit: tested against the host's classes or a stand-in;
    # recipe: documented only; none: not part of this version.
    level: str
    packages: dict[str, str]  # name to tested range
    primitives: tuple[str, ...]
    conditions: dict[str, str]  # of a primitive that is served with something alone
    tried: tuple[Trial, ...]


@dataclass(frozen=True)
class Found:
    """A package of a host as it is here; version "" says that it is not installed."""

    host: str
    level: str
    package: str
    version: str
    tested: str

    @property
    def verdict(self) -> str:
        if self.level == "none":
            return NOT_PLANNED_YET
        if not self.version:
            return "not installed"
        return "ok" if in_range(self.version, self.tested) else "outside the tested range"


def declared() -> dict[str, Any]:
    text = (Path(__file__).parent / "adapters.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def adapters() -> list[Adapter]:
    """Every adapter declared, planned ones too."""
    return [
        Adapter(
            host=entry["host"],
            what=entry["what"],
            level=entry["level"],
            packages=entry["packages"],
            primitives=tuple(entry["primitives"]),
            conditions=entry["conditions"],
            tried=tuple(
                Trial(trial["version"], trial["passed"], trial["note"]) for trial in entry["tried"]
            ),
        )
        for entry in declared()["adapters"]
    ]


def adapter(host: str) -> Adapter:
    """The adapter to one host, e.g. "trl"."""
    return next(entry for entry in adapters() if entry.host == host)


def capabilities() -> list[list[str]]:
    """What every adapter serves, as a table: a row for each primitive, a column for each adapter;
    "if": with what `conditions` names alone."""
    every = adapters()
    rows = [["", "a trainer can", *(entry.host for entry in every)]]
    for primitive, meaning in declared()["primitives"].items():
        rows.append([primitive, meaning, *(served(entry, primitive) for entry in every)])
    return rows


def served(entry: Adapter, primitive: str) -> str:
    if primitive not in entry.primitives:
        return "no"
    return "if" if primitive in entry.conditions else "yes"


def conditions() -> list[str]:
    return [
        f"{entry.host} {primitive} if: {needed}"
        for entry in adapters()
        for primitive, needed in entry.conditions.items()
    ]


def installed(package: str) -> str:
    """Version of a package as its metadata has it, without importing it; "" where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def found() -> list[Found]:
    """One row for every package of every host."""
    return [
        Found(entry.host, entry.level, package, installed(package), tested)
        for entry in adapters()
        for package, tested in entry.packages.items()
    ]


def check_version(host: str, untested: bool, otherwise: str) -> None:
    """Refuses a version of the host that its adapter was not tested with, unless `untested`, which
    the user sets by what `otherwise` says."""
    version, tested = installed(host), adapter(host).packages[host]
    if not untested and not in_range(version, tested):
        raise allot.ConfigError(
            f"[{host}] {host} {version} is installed; {tested} is what the adapter was tested "
            f"with. Hint: pip install '{host}{tested}', or {otherwise}"
        )


def missing_calls(host: Any, calls: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What a class or object of a host lacks of the calls and parameters that its adapter uses:
    "method", or "method(parameter)"."""
    missing = []
    for name, parameters in calls.items():
        method = getattr(host, name, None)
        if method is None:
            missing.append(name)
            continue
        known = inspect.signature(inspect.unwrap(method)).parameters
        missing += [f"{name}({one})" for one in parameters if one not in known]
    return missing


def in_range(version: str, tested: str) -> bool:
    """Whether a version is in a range such as ">=1.16,<1.17" (only >= and < are used).

    Only the numbers of the release count: 2.13.0+cpu is 2.13.0, and 1.17.0.dev0 is 1.17.0, so that
    a preview of an untested release is not taken for the one before.
    """
    numbers = release(version)
    for bound in filter(None, tested.split(",")):
        least = bound.startswith(">=")
        limit = release(bound.lstrip("<>="))
        if (numbers < limit) if least else (numbers >= limit):
            return False
    return bool(numbers)


def release(version: str) -> tuple[int, ...]:
    """1.16.0rc1 -> (1, 16, 0); shorter ones are filled up with zeros."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = tuple(int(part) for part in match.group().split(".")) if match else ()
    return numbers + (0,) * (4 - len(numbers)) if numbers else ()
