"""Counts of agreement with a second verifier, on lines as the program writes them."""

import json
from pathlib import Path

import pytest

from allot.__main__ import main, table
from allot.audit import audit, kind_of, report

ROWS = [
    ("72", "so \\boxed{72}", "72", "correct", "correct: number"),
    ("1/2", "\\boxed{0.5}", "0.5", "correct", "correct: number, lenient_K1"),
    ("1/2", "\\boxed{0.6}", "0.6", "wrong", "wrong: number"),
    ("x^2", "no idea", "", "no_answer", "no_answer"),
]


@pytest.fixture
def samples(tmp_path) -> Path:
    path = tmp_path / "samples.jsonl"
    lines = [{"format": "allot.samples", "version": 1}]
    for i, (reference, completion, answer, verdict, reason) in enumerate(ROWS):
        lines.append(
            {
                "set": "test",
                "prompt_key": f"q{i}",
                "reference": reference,
                "completion": completion,
                "answer": answer,
                "verdict": verdict,
                "reason": reason,
            }
        )
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def judge(reference: str, completion: str) -> bool | None:
    """Right about 72, wrong about one half, and without an opinion on the rest."""
    return None if "no" in completion else "72" in completion


def test_counts_and_names_what_differs(samples):
    found = audit(samples, judge)
    assert found.responses == 4
    assert found.both == {
        ("correct", "correct"): 1,
        ("correct", "wrong"): 1,
        ("wrong", "wrong"): 1,
        ("no answer", "no answer"): 1,
    }
    assert [row.key for row in found.differ] == ["q1"]
    assert found.kinds["fraction", False] == found.kinds["fraction", True] == 1
    assert found.tiers["number", True] == 2 and found.tiers["nothing compared", True] == 1
    text = report(found, table)
    assert text.startswith("4 responses, 1 judged differently")
    assert "q1: allot says correct of '0.5' for '1/2'" in text


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("-1,200", "number"),
        ("35%", "number"),
        ("\\frac{1}{2}", "fraction"),
        ("(1, 2)", "list, tuple or interval"),
        ("\\begin{pmatrix}1\\end{pmatrix}", "matrix"),
        ("x = 2", "equation or inequality"),
        ("2\\sqrt{3}", "expression"),
        ("Monday", "text"),
    ],
)
def test_kinds_of_references(reference, kind):
    assert kind_of(reference) == kind


def test_other_files_are_refused(tmp_path, samples, capsys):
    other = tmp_path / "other.jsonl"
    other.write_text('{"gold": "1"}\n')
    with pytest.raises(ValueError, match="other.jsonl:1"):
        audit(other, judge)
    other.write_text(samples.read_text() + '\n{"prompt_key": "q"}\n')
    with pytest.raises(ValueError, match="other.jsonl:6"):
        audit(other, judge)
    assert main(["audit"]) == 2
    assert "usage" in capsys.readouterr().err
