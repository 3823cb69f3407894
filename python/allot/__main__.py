"""python -m allot doctor [--json]: which versions are here, and the adapters to other trainers."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict

import allot

from .adapters import Found, adapters, found, installed


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
                "packages": packages,
                "tried": [asdict(trial) for trial in entry.tried],
            }
        )
    return json.dumps({**facts(), "adapters": listed})


def main(arguments: list[str]) -> int:
    if arguments not in (["doctor"], ["doctor", "--json"]):
        print("usage: python -m allot doctor [--json]", file=sys.stderr)
        return 2
    print(doctor_json() if "--json" in arguments else doctor())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
