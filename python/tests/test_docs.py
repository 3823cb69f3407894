"""Every Python example of docs/python.md runs, in order, as one session."""

import re
from pathlib import Path

import allot

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
FIELDS = ("id", "reward", "correct", "tokens", "status", "scoring", "parsed", "prompt")


def test_examples():
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 10
    session: dict[str, object] = {}
    for block in blocks:
        line = text[: text.index(block)].count("\n")
        exec(compile("\n" * line + block, str(PAGE), "exec"), session)


def test_tables_name_what_there_is():
    text = PAGE.read_text(encoding="utf-8")
    for name in re.findall(r"(\w+): object = ", allot.Outcomes.__init__.__doc__ or ""):
        assert f"`{name}`" in text, name
    for name in FIELDS:
        assert f"| `{name}`" in text
    for kind in (allot.ConfigError, allot.DataError, allot.InternalError, allot.ModelError):
        assert f"`{kind.__name__}`" in text
