"""The file that a checkpoint gets: what the adapter remembers as JSON, and the Controller."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
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


def in_force(prefix: str, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """PREFIX.method, and as PREFIX.NAME every option of that method and of all methods, for a
    Controller that was `given` those keywords: defaults too, for another release may have others.
    """
    known = allot.method(method)
    options = {one.name: one for one in [*allot.shared_options(), *known.options]}
    # "aero_explore" and {"aero": {"explore": ..}} mean what "explore" does.
    long = {one.key.removeprefix("alloc.").replace(".", "_"): name for name, one in options.items()}
    out = {name: one.default for name, one in options.items()}
    for name, value in flat(given).items():
        if value is not None:
            out[name if name in options else long.get(name, name)] = plain(value)
    return {f"{prefix}.method": known.name, **{f"{prefix}.{name}": out[name] for name in out}}


def flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """{"adv": {"scale": ..}} is adv_scale."""
    out: dict[str, Any] = {}
    for name, value in given.items():
        inner = value if isinstance(value, Mapping) else None
        out |= {name: value} if inner is None else {f"{name}_{k}": v for k, v in inner.items()}
    return out


def plain(value: Any) -> Any:
    """A number or a list, where its text or NumPy's kind of it was given."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def refuse_changes(
    where: object, host: str, before: Mapping[str, Any], now: Mapping[str, Any], hint: str
) -> None:
    """Raises ModelError with all settings in which the run that wrote `where` differs from this
    one. A name that `before` lacks came with a later release than the file's."""
    # As a file of JSON has them, wherever they were kept: a tuple is a list.
    there, here = (json.loads(json.dumps(dict(one), default=str)) for one in (before, now))
    changed = [
        f"{name}: {there[name]!r} -> {value!r}"
        for name, value in here.items()
        if name in there and there[name] != value
    ]
    if changed:
        raise allot.ModelError(
            f"[{host}] {where} is of a run that was started with other settings: "
            f"{'; '.join(changed)}; a run goes on only as it began. Hint: {hint}"
        )
