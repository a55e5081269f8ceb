"""The lines that the demo prints work as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Program, clean_environment


@pytest.fixture(scope="module")
def printed():
    program = Program("demo", "--port", "0", ready=r"^Outcrop is ready on (http://\S+)$")
    yield program
    program.stop()


def run(line: str) -> str:
    env = clean_environment()
    env["PATH"] = str(Path(sys.executable).parent) + os.pathsep + env["PATH"]
    done = subprocess.run(
        ["bash", "-c", line], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_printed_lines(printed):
    lines = [line.strip() for line in printed.lines]
    key = next(k for line in lines if (k := re.fullmatch(r"sk-\S+", line)))
    whole, streamed, python, own_key = [line for line in lines if line.startswith(("curl", "python3"))]
    assert all(key.group() in line for line in (whole, streamed, python))
    assert '"content":"You said: Hello!"' in run(whole)
    answer = run(streamed)
    assert answer.startswith("data: {")
    assert answer.rstrip().endswith("data: [DONE]")
    assert run(python).strip() == "You said: Hello!"
    assert '"key":"sk-' in run(own_key)


def test_every_run_has_its_own_key(printed):
    other = Program("demo", "--port", "0", ready=r"^Outcrop is ready on (http://\S+)$")
    keys = [re.search(r"sk-[a-z0-9]{20,}", "".join(p.lines)).group() for p in (printed, other)]
    other.stop()
    assert keys[0] != keys[1]
