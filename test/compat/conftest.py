"""Starts what the suite talks to: the gateway with its simulated Bedrock, and the simulator alone.

Each program runs once for the whole session, on a port that the system chooses, and must end cleanly at SIGTERM.
OUTCROP_BIN names another binary than bin/outcrop.
"""

import os
import queue
import re
import signal
import sqlite3
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest_plugins = ["matrix"]

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("OUTCROP_BIN") or ROOT / "bin" / "outcrop")
MASTER_KEY = "sk-compat-5f0c1d7e9a3b48c6a2"
START_SECONDS = 30
STOP_SECONDS = 40

# The credentials that the simulator is documented to accept.
AWS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "AKIAOUTCROPSIMULATOR",
    "aws_secret_access_key": "outcrop-simulator-secret-access-key-0000",
}
AWS_BEARER_TOKEN = "ABSKoutcrop-simulator-bearer-token"


def clean_environment() -> dict[str, str]:
    """The environment without what would lead a client, or the gateway, to another place than the one under test."""
    prefixes = ("AWS_", "ANTHROPIC_", "CLAUDE_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "OUTCROP_", "LITELLM_")
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "CONFIG_FILE_PATH", "HOST", "PORT")
    env = {k: v for k, v in os.environ.items() if not k.startswith(prefixes) and k.upper() not in names}
    return env | {"AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1"}


@pytest.fixture(scope="session", autouse=True)
def environment():
    """Gives the clients in this process the clean environment, too."""
    before, clean = dict(os.environ), clean_environment()
    os.environ.clear()
    os.environ.update(clean)
    yield
    os.environ.clear()
    os.environ.update(before)


class Program:
    """A running outcrop. Its output is read to the end, so that it never waits for us."""

    def __init__(self, *arguments: str, ready: str, env: dict[str, str] | None = None):
        if not BINARY.exists():
            pytest.exit(f"{BINARY} is missing: run 'make build' first", returncode=2)
        self.name = "outcrop " + arguments[0]
        self.process = subprocess.Popen(
            [BINARY, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment() | (env or {}),
        )
        self.lines: list[str] = []
        self.log: list[str] = []
        self._started: queue.Queue[str | None] = queue.Queue()
        outputs = (self.process.stdout, self.lines), (self.process.stderr, self.log)
        self._readers = [
            threading.Thread(target=self._read, args=(*output, re.compile(ready)), daemon=True) for output in outputs
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.url = self._started.get(timeout=START_SECONDS)
        except queue.Empty:
            self.url = None
        if self.url is None:
            self.process.kill()
            raise RuntimeError(f"{self.name} did not start:\n{''.join(self.lines)}{self.tail()}")

    def _read(self, output, lines: list[str], ready: re.Pattern[str]):
        for line in output:
            lines.append(line)
            if match := ready.search(line):
                self._started.put(match.group(1))
        self._started.put(None)

    def tail(self) -> str:
        return "".join(self.log[-40:])

    def stop(self):
        """Asks the program to end, and fails if it does not do so in time and with exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "killed"
        for reader in self._readers:
            reader.join(5)
        assert code == 0, f"{self.name} ended with {code}:\n{self.tail()}"
        assert "panic" not in "".join(self.log), f"{self.name} panicked:\n{self.tail()}"


@dataclass
class Gateway:
    program: Program
    data: Path
    key: str = MASTER_KEY

    @property
    def url(self) -> str:
        return self.program.url

    @property
    def base_url(self) -> str:
        return self.url + "/v1"

    def spend(self, call_id: str) -> dict:
        """The row that was kept of a call. Rows are written behind the answers, so it waits for it."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with sqlite3.connect(f"file:{self.data / 'outcrop.db'}?mode=ro", uri=True, timeout=10) as db:
                db.row_factory = sqlite3.Row
                rows = db.execute("SELECT * FROM spend_logs WHERE litellm_call_id = ?", (call_id,)).fetchall()
            if rows:
                assert len(rows) == 1, f"{len(rows)} rows for one call"
                return dict(rows[0])
            time.sleep(0.05)
        raise AssertionError(f"no spend row for {call_id}:\n{self.program.tail()}")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    data = tmp_path_factory.mktemp("gateway")
    program = Program(
        "demo", "--host", "127.0.0.1", "--port", "0", "--master-key", MASTER_KEY, "--data-dir", str(data), "--quiet",
        ready=r"^Outcrop is ready on (http://\S+)$",
    )
    yield Gateway(program, data)
    program.stop()


@pytest.fixture(scope="session")
def simulator():
    """The URL of a simulated Bedrock of its own."""
    program = Program("sim", "--port", "0", ready=r"ready on (http://\S+)")
    yield program.url
    program.stop()


@pytest.fixture
def call_id() -> str:
    """A name for one call, which its headers carry and its spend row keeps."""
    return f"compat-{uuid.uuid4()}"
