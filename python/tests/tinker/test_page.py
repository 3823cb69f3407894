"""Every Python example of docs/tinker.md runs, in order, against a real server."""

import re
from dataclasses import fields
from pathlib import Path

import allot.tinker
import tinker
from tinker_first_run import make_data, reward

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tinker.md"


def test_examples(server, tmp_path, capsys):
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    session: dict[str, object] = {
        "url": server.url,
        "base_model": server.model,
        "data": make_data(),
        "reward": reward,
        "folder": tmp_path / "run",
        "own_folder": tmp_path / "own",
    }
    for block in blocks:
        line = text[: text.index(block)].count("\n")
        exec(compile("\n" * line + block, str(PAGE), "exec"), session)
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[:4]] == ["0", "1", "2", "3"]
    assert "prompts were always right" in said and "[(1.1, True)]" in said
    assert (tmp_path / "run" / "allot.npz").exists() and (tmp_path / "own" / "allot.npz").exists()


def test_every_setting_is_there():
    text = PAGE.read_text(encoding="utf-8")
    for field in fields(allot.tinker.Settings):
        assert f"`{field.name}`" in text, field.name
    for name in ("0.24.1", "skyrl[tinker,jax]==0.3.0"):
        assert name in text
    assert tinker.ServiceClient
