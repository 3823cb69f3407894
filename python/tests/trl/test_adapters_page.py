"""The trainer of docs/adapters.md runs as it stands there, and learns."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "adapters.md"


def mean(values):
    return sum(values) / len(values)


def test_the_trainer_on_the_page_learns():
    text = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    line = text[: text.index(block)].count("\n")
    session: dict[str, object] = {}
    exec(compile("\n" * line + block, str(PAGE), "exec"), session)
    curve = session["curve"]
    assert mean(curve[:3]) < 0.2 and mean(curve[-5:]) > 0.85, curve
