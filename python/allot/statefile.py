"""The file that a checkpoint gets: what the adapter remembers as JSON, and the Controller."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import allot
import numpy as np

Folder: TypeAlias = "str | os.PathLike[str]"
FILE = "allot.npz"
VERSION = 2


def save(folder: Folder, header: dict[str, Any], controller: bytes) -> None:
    """Writes FILE into the folder, whole or not at all."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    path, aside = Path(folder) / FILE, Path(folder) / f".{FILE}.part"
    # A checkpoint is never lost to a column that JSON does not know; such a value becomes text.
    text = json.dumps({"version": VERSION, **header}, default=str)
    with open(aside, "wb") as file:
        np.savez(
            file,
            header=np.frombuffer(text.encode(), np.uint8),
            controller=np.frombuffer(controller, np.uint8),
        )
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def load(folder: Folder, host: str, hint: str) -> tuple[dict[str, Any], bytes]:
    """What save() wrote; `host` is the adapter that messages name, `hint` what to do without it."""
    path = Path(folder) / FILE
    if not path.exists():
        raise allot.ModelError(
            f"[{host}] {folder} has no {FILE}; a checkpoint that was written with an allocation is "
            f"needed. Hint: {hint}"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            controller = file["controller"].tobytes()
    except (ValueError, OSError, KeyError, EOFError, BadZipFile) as error:
        raise allot.ModelError(f"[{host}] {path} cannot be read: {error}; it is damaged") from error
    if header.get("version") != VERSION:
        raise allot.ModelError(
            f"[{host}] {path} has version {header.get('version')}, of another release of allot; "
            f"{VERSION} is needed. Hint: the release that wrote it goes on from it"
        )
    return header, controller
