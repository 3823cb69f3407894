"""A real Tinker server: SkyRL with its JAX backend, on loopback, with a tiny random model."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import tinker_first_run

PROGRAM = Path(tinker_first_run.__file__).with_name("tinker_server.py")
START_S = 300  # on a busy machine; a server that fails ends at once
STARTS = 3


def end_with_parent() -> None:
    """The server gets SIGTERM when the tests are gone, however they ended."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class SkyRL:
    def __init__(self, folder: Path, devices: int = 1) -> None:
        self.folder, self.devices = folder, devices
        tinker_first_run.make_model(folder / "model")
        self.model = str(folder / "model")
        self.start()

    def start(self) -> None:
        """On a port of its own each time: another program may have taken the one before, or even
        this one before the server has it."""
        for _ in range(STARTS):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            said = len(self.said())
            if self._start():
                return
            if "address already in use" not in self.said()[said:]:
                break
        raise RuntimeError(f"the server did not start: {self.said()[-2000:]}")

    def _start(self) -> bool:
        command = [sys.executable, str(PROGRAM), self.model, "--folder", str(self.folder)]
        more = [
            "--port",
            str(self.port),
            "--adapters",
            "32",
            "--rows",
            "16",
            "--devices",
            str(self.devices),
        ]
        # Compiled programs outlive the tests: with them a start takes seconds.
        cache = {"JAX_COMPILATION_CACHE_DIR": str(Path(sys.prefix) / "compiled")}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command + more,
                env={**os.environ, **cache, "HF_HUB_OFFLINE": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        begun = time.monotonic()
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() - begun > START_S:
                self.kill()
                return False
            time.sleep(0.2)
        return True

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def service(self) -> Any:
        import tinker

        return tinker.ServiceClient(base_url=self.url, api_key="tml-none")

    def said(self) -> str:
        log = self.folder / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    def kill(self) -> None:
        """API and engine at once, as when the machine goes away."""
        with contextlib.suppress(ProcessLookupError):  # of one that has ended by itself
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
