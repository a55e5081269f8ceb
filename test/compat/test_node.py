"""The OpenAI client for Node.js: node/chat.mjs, run by Node's own test runner."""

import re
import subprocess
from pathlib import Path

from conftest import clean_environment

NODE = Path(__file__).parent / "node"


def test_node_client(gateway):
    env = clean_environment() | {"OUTCROP_URL": gateway.url, "OUTCROP_KEY": gateway.key}
    run = subprocess.run(
        ["node", "--test", "--test-reporter=tap", "chat.mjs"],
        cwd=NODE, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=80,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"^# pass (\d+)$", run.stdout, re.MULTILINE)
    assert passed and int(passed.group(1)) >= 10, run.stdout
