"""A second opinion on the math verifier: Math-Verify judges the same responses.

    python -m allot audit FILE      # of allot eval --samples, or of allot report --completions

Where two independent verifiers disagree, one of them is wrong, and it is worth reading which.
Math-Verify (``pip install math-verify``) is a tool for looking and never part of training.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FORMATS = ("allot.samples", "allot.completions")
# True, False, or None where it found no answer or failed.
Judge = Callable[[str, str], "bool | None"]


@dataclass(frozen=True)
class Judged:
    """One response and what allot said about it."""

    key: str
    reference: str
    completion: str
    answer: str
    verdict: str  # correct, wrong, no_answer, ..
    tier: str  # how it was decided, "" where nothing was compared


@dataclass
class Audit:
    """Counts of both verdicts by kind of reference and by tier, and the responses that differ."""

    responses: int = 0
    both: Counter[tuple[str, str]] = field(default_factory=Counter)  # (allot, Math-Verify)
    kinds: Counter[tuple[str, bool]] = field(default_factory=Counter)  # (kind, agreed)
    tiers: Counter[tuple[str, bool]] = field(default_factory=Counter)
    differ: list[Judged] = field(default_factory=list)


def kind_of(reference: str) -> str:
    """What a reference answer looks like."""
    text = reference.strip().strip("$")
    if re.fullmatch(r"[-+]?[\d,]*\.?\d+%?", text):
        return "number"
    if re.fullmatch(r"[-+]?\d+\s*/\s*\d+|[-+]?\\[dt]?frac\{?-?\d+\}?\{?\d+\}?", text):
        return "fraction"
    if "matrix" in text:
        return "matrix"
    if "," in text or text.startswith(("(", "[", "\\{")):
        return "list, tuple or interval"
    if re.search(r"[=<>]|\\[lg]eq?", text):
        return "equation or inequality"
    return "expression" if re.search(r"[\\^\d]", text) else "text"


def rows(path: Path) -> Iterator[Judged]:
    """Raises ValueError naming the line that is none of ours."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if number == 1:
                    if row.get("format") not in FORMATS:
                        raise ValueError
                    continue
                reason = row["reason"].split(",")[0]
                yield Judged(
                    key=row["prompt_key"],
                    reference=row["reference"],
                    completion=row["completion"],
                    answer=row["answer"] or "",
                    verdict=row["verdict"],
                    tier=reason.partition(": ")[2]
                    if row["verdict"] in ("correct", "wrong")
                    else "",
                )
            except (ValueError, KeyError, AttributeError, TypeError):
                raise ValueError(
                    f"{path}:{number} is no line of {' or '.join(FORMATS)}; "
                    "allot eval --samples and allot report --completions write such files"
                ) from None


def math_verify() -> Judge:
    """Raises ImportError where it is not installed."""
    from math_verify import parse, verify

    def judge(reference: str, completion: str) -> bool | None:
        try:
            gold = parse(f"${reference.strip().strip('$')}$")
            found = parse(completion)
            return bool(verify(gold, found)) if gold and found else None
        except Exception:  # whatever it raises, it has no opinion then
            return None

    return judge


def audit(path: Path, judge: Judge) -> Audit:
    found = Audit()
    for row in rows(path):
        theirs = judge(row.reference, row.completion)
        agrees = (row.verdict == "correct") == (theirs is True)
        said = {True: "correct", False: "wrong", None: "no answer"}[theirs]
        found.responses += 1
        found.both[row.verdict.replace("_", " "), said] += 1
        found.kinds[kind_of(row.reference), agrees] += 1
        found.tiers[row.tier or "nothing compared", agrees] += 1
        if not agrees:
            found.differ.append(row)
    return found


def agreement(counts: Counter[tuple[str, bool]], name: str) -> list[list[str]]:
    names = sorted({key for key, _ in counts})
    return [
        [name, "agree", "differ"],
        *([n, str(counts[n, True]), str(counts[n, False])] for n in names),
    ]


def report(found: Audit, table: Callable[[list[list[str]]], str], shown: int = 20) -> str:
    verdicts = [["allot", "Math-Verify", "responses"]]
    verdicts += [[*pair, str(count)] for pair, count in found.both.most_common()]
    parts = [
        f"{found.responses} responses, {len(found.differ)} judged differently",
        table(verdicts),
        table(agreement(found.kinds, "reference")),
        table(agreement(found.tiers, "decided by")),
    ]
    for row in found.differ[:shown]:
        end = " ".join(row.completion.split())[-120:]
        parts.append(
            f"{row.key}: allot says {row.verdict} of '{row.answer}' for '{row.reference}'"
            f"\n  ..{end}"
        )
    if len(found.differ) > shown:
        parts.append(f"and {len(found.differ) - shown} more")
    return "\n\n".join(parts)
