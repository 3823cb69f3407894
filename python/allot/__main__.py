"""python -m allot doctor [--json]: which versions are here, and the adapters to other trainers.
python -m allot audit FILE: Math-Verify's opinion on what the math verifier said."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import allot

from .adapters import Found, adapters, capabilities, conditions, found, installed
from .audit import audit, math_verify, report


def facts() -> dict[str, str]:
    return {
        "allot": allot.__version__,
        "python": f"{platform.python_version()}, {sys.executable}",
        "numpy": installed("numpy") or "not installed",
        "methods": str(len(allot.methods())),
        "tasks": str(len(allot.tasks())),
    }


def table(rows: list[list[str]]) -> str:
    """Rows as aligned text, every column but the last as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def adapter_row(row: Found) -> list[str]:
    return [row.host, row.level, row.package, row.version or "-", row.tested or "-", row.verdict]


def doctor() -> str:
    header = ["adapter", "level", "package", "found", "tested", ""]
    lines = [
        table([list(fact) for fact in facts().items()]),
        "",
        table([header, *(adapter_row(row) for row in found())]),
    ]
    for entry in adapters():
        if entry.tried:
            tried = (f"{t.version} {'passed' if t.passed else 'failed'}" for t in entry.tried)
            lines.append(f"{entry.host} tried: {', '.join(tried)}")
    lines += ["", table(capabilities()), *conditions()]
    return "\n".join(lines)


def doctor_json() -> str:
    rows = found()
    listed = []
    for entry in adapters():
        packages = [
            {
                "name": row.package,
                "found": row.version or None,
                "tested": row.tested,
                "verdict": row.verdict,
            }
            for row in rows
            if row.host == entry.host
        ]
        listed.append(
            {
                "host": entry.host,
                "what": entry.what,
                "level": entry.level,
                "primitives": list(entry.primitives),
                "conditions": entry.conditions,
                "packages": packages,
                "tried": [asdict(trial) for trial in entry.tried],
            }
        )
    return json.dumps({**facts(), "adapters": listed})


USAGE = "usage: python -m allot doctor [--json] | audit FILE"


def run_audit(file: str) -> int:
    try:
        print(report(audit(Path(file), math_verify()), table))
    except ImportError:
        print("Math-Verify is not installed; pip install math-verify", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 3
    return 0


def main(arguments: list[str]) -> int:
    match arguments:
        case ["doctor"]:
            print(doctor())
        case ["doctor", "--json"]:
            print(doctor_json())
        case ["audit", file]:
            return run_audit(file)
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
