"""The OpenAI and Anthropic clients for Node.js: the programs of node/, run by Node's own test runner."""

import base64
import re
import subprocess
from pathlib import Path

import pytest

from conftest import clean_environment
from matrix import Route
from samples import pdf

NODE = Path(__file__).parent / "node"


@pytest.mark.parametrize(("program", "tests"), [("chat.mjs", 10), ("helpers.mjs", 20), ("media.mjs", 4), ("responses.mjs", 7)])
def test_node_client(gateway, program, tests):
    run_node(gateway, program, tests)


def anthropic_route(codec: str, model: str, thinks: bool):
    """What anthropic.mjs tests on one way to a model: thinking is asked for by its budget, which Claude alone takes."""
    features = ["create", "stream", "tools, parallel", "errors", "count_tokens", "vision", "PDF", "the client's own retries"]
    if thinks:
        features.append("thinking with tools, over turns")
    cells = pytest.mark.matrix(client="@anthropic-ai/sdk (Node.js)", dialect="Messages", feature=features)
    return pytest.param(Route(codec, model, thinks), marks=cells, id=model)


@pytest.mark.parametrize("route", [
    anthropic_route("Claude, InvokeModel", "claude", True),
    anthropic_route("Claude, Converse", "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0", True),
    anthropic_route("Nova 2, Converse", "bedrock/us.amazon.nova-2-lite-v1:0", False),
])
def test_the_anthropic_client(gateway, route):
    more = {"OUTCROP_MODEL": route.model, "OUTCROP_PDF": base64.b64encode(pdf()).decode(), "OUTCROP_THINKS": "1" if route.thinks else ""}
    run_node(gateway, "anthropic.mjs", 10 if route.thinks else 9, more)


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
