"""python -m allot doctor: which versions are here."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

import allot

# Packages that allot meets, with the versions it was tested with; None: tested with none yet.
NEIGHBOURS: dict[str, str | None] = {
    "numpy": ">=1.23",
    "torch": None,
    "transformers": None,
    "trl": None,
}


def installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def doctor() -> None:
    rows = [("allot", allot.__version__, ""), ("python", platform.python_version(), ">=3.10")]
    rows += [(name, installed(name), tested or "-") for name, tested in NEIGHBOURS.items()]
    width = max(len(name) for name, _, _ in rows)
    for name, version, tested in rows:
        print(f"{name:<{width}}  {version:<14}  {tested}".rstrip())
    print(f"{len(allot.methods())} methods, {len(allot.tasks())} tasks")


def main(arguments: list[str]) -> int:
    if arguments == ["doctor"]:
        doctor()
        return 0
    print("usage: python -m allot doctor", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
