"""The trainer of docs/adapters.md runs as it stands there, and learns."""

import functools
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the trainer on the page is written in torch")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "adapters.md"


def mean(values):
    return sum(values) / len(values)


@functools.lru_cache(maxsize=None)
def page():
    text = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    line = text[: text.index(block)].count("\n")
    session: dict[str, object] = {}
    exec(compile("\n" * line + block, str(PAGE), "exec"), session)
    return session


def test_the_trainer_on_the_page_learns():
    session = page()
    curve = session["curve"]
    assert mean(curve[:3]) < 0.2 and mean(curve[-5:]) > 0.85, curve


def weights(norm, lengths, sizes, fixed=0.0, length_divisor=0.0):
    """The page's function over a batch of the shape given."""
    batch = SimpleNamespace(
        norm=norm,
        fixed=fixed,
        length_divisor=length_divisor,
        offsets=np.cumsum([0, *sizes]),
        group=np.repeat(np.arange(len(sizes)), sizes),
    )
    return page()["token_weights"](batch, lengths).tolist()


def test_the_normaliser_on_the_page_is_that_of_the_methods():
    lengths, sizes = [2, 4, 5], [1, 2]
    assert weights("per_token", lengths, sizes) == pytest.approx([1 / 11] * 3)
    assert weights("per_rollout", lengths, sizes) == pytest.approx([1 / 6, 1 / 12, 1 / 15])
    assert weights("per_group", lengths, sizes) == pytest.approx([1 / 4, 1 / 16, 1 / 20])
    assert weights("fixed", lengths, sizes, fixed=8) == pytest.approx([1 / 16, 1 / 32, 1 / 40])
    divided = weights("per_group", lengths, sizes, length_divisor=10)
    assert divided == pytest.approx([1 / 20, 1 / 40, 1 / 40])
