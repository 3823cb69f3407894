"""A real Tinker server: SkyRL with its JAX backend, on loopback, with a tiny random model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import tiny

PROGRAM = Path(__file__).resolve().parents[3] / "examples" / "tinker_server.py"
RULE = {"rows": "mean", "tokens": "row", "positions": "completion", "calls": "pool"}
START_S = 120


class SkyRL:
    def __init__(self, folder: Path, devices: int = 1) -> None:
        self.folder, self.devices = folder, devices
        self.model = str(tiny.write(folder / "model"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(PROGRAM), self.model, "--folder", str(self.folder)]
        more = ["--port", str(self.port), "--adapters", "32", "--devices", str(self.devices)]
        # Compiled programs outlive the tests: with them a start takes seconds.
        cache = {"JAX_COMPILATION_CACHE_DIR": str(Path(sys.prefix) / "compiled")}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command + more,
                env={**os.environ, **cache, "HF_HUB_OFFLINE": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        begun = time.monotonic()
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() - begun > START_S:
                raise RuntimeError(f"the server did not start: {self.said()}")
            time.sleep(0.2)

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
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def kill(self) -> None:
        """API and engine at once, as when the machine goes away."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
