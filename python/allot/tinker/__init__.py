"""allot over a Tinker server: a client's training loop, and its parts.

    allot.tinker.train(service, base_model=.., data=rows, reward=reward, steps=100, folder="runs/a")

The manual is docs/tinker.md.
"""

from ..identity import content
from .engine import Engine
from .probe import measure
from .rule import Rule
from .session import Session
from .settings import Settings
from .train import train

__all__ = ["Engine", "Rule", "Session", "Settings", "content", "measure", "train"]
