"""The OpenAI client for Node.js: the programs of node/, run by Node's own test runner."""

import re
import subprocess
from pathlib import Path

import pytest

from conftest import clean_environment
from matrix import Route

NODE = Path(__file__).parent / "node"


@pytest.mark.parametrize(("program", "tests"), [("chat.mjs", 10), ("helpers.mjs", 20), ("media.mjs", 4), ("responses.mjs", 7)])
def test_node_client(gateway, program, tests):
    run_node(gateway, program, tests)


@pytest.mark.matrix(
    client="@anthropic-ai/sdk (Node.js)", dialect="Messages",
    feature=["create", "stream", "tools, parallel", "errors", "count_tokens", "the client's own retries"],
)
@pytest.mark.parametrize("route", [
    Route("Claude, InvokeModel", "claude"), Route("Claude, Converse", "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    Route("Nova 2, Converse", "bedrock/us.amazon.nova-2-lite-v1:0"),
], ids=str)
def test_the_anthropic_client(gateway, route):
    run_node(gateway, "anthropic.mjs", 7, {"OUTCROP_MODELS": route.model})


def run_node(gateway, program: str, tests: int, more: dict[str, str] | None = None):
    """Runs a program's tests, of which there are so many at least."""
    env = clean_environment() | {"OUTCROP_URL": gateway.url, "OUTCROP_KEY": gateway.key} | (more or {})
    run = subprocess.run(
        ["node", "--test", "--test-reporter=tap", program],
        cwd=NODE, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=80,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"^# pass (\d+)$", run.stdout, re.MULTILINE)
    assert passed and int(passed.group(1)) >= tests, run.stdout
