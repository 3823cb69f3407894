"""Every Python example of docs/trl.md runs, in order, in a session with the tiny world's names."""

import re
from pathlib import Path

import tiny

PAGE = Path(__file__).resolve().parents[3] / "docs" / "trl.md"


def test_examples(tmp_path, capsys):
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    session: dict[str, object] = {
        "model": tiny.model(),
        "reward": tiny.above,
        "args": tiny.config(tmp_path),
        "dataset": tiny.data(),
        "tokenizer": tiny.tokenizer(),
    }
    for block in blocks:
        line = text[: text.index(block)].count("\n")
        exec(compile("\n" * line + block, str(PAGE), "exec"), session)
    scored = session["reward"](["12 ", "3"], answer=["12", "4"])
    assert scored == [1.0, 0.0]
    assert "prompts were always answered right" in capsys.readouterr().out
