"""Claude Code, the command line program itself: a session of two tools, against the gateway and the simulator.

It gets nothing of this machine: a home of its own, no telemetry, no other address than the gateway's.
"""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import AWS, MASTER_KEY, Gateway, Program
from matrix import Route

PACKAGES = Path(__file__).parent / "claude-code" / "node_modules" / "@anthropic-ai"
CLAUDE = PACKAGES / f"claude-code-{platform.system().lower()}-{ {'x86_64': 'x64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }" / "claude"
ROUTES = [
    Route("Claude, InvokeModel", "claude-sonnet-4-5"), Route("Claude, Converse", "through-converse"), Route("Nova 2, Converse", "nova-2-lite"),
    Route("gpt-oss, InvokeModel", "gpt-oss"),
]


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    """Returns a gateway in front of a simulator that plays a script: look, read and write, then say so."""
    programs = []

    def start(work: Path) -> Gateway:
        data = tmp_path_factory.mktemp("claude-code")
        calls = lambda *list_: {"reply": {"reasoning": "I need my tools.", "text": "I look.", "tool_calls": list(list_)}}  # noqa: E731
        rules = [
            {"match": {"contains": "the two files", "times": 1}} | calls(
                {"name": "Bash", "input": {"command": "ls", "description": "Lists the files"}}, {"name": "Read", "input": {"file_path": str(work / "a.txt")}}),
            {"match": {"times": 1}} | calls({"name": "Write", "input": {"file_path": str(work / "b.txt"), "content": "written"}}),
            {"match": {}, "reply": {"reasoning": "It is done.", "text": "All done."}},
        ]
        (data / "script.yaml").write_text(yaml.safe_dump({"rules": rules}))
        sim = Program("sim", "--port", "0", "--scenario", str(data / "script.yaml"), ready=r"ready on (http://\S+)")
        programs.append(sim)
        own = {
            "aws_region_name": AWS["region_name"], "aws_access_key_id": AWS["aws_access_key_id"],
            "aws_secret_access_key": AWS["aws_secret_access_key"], "aws_bedrock_runtime_endpoint": sim.url,
        }
        models = {
            "claude-*": "bedrock/us.anthropic.claude-*", "through-converse": "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "nova-2-lite": "bedrock/us.amazon.nova-2-lite-v1:0", "gpt-oss": "bedrock/invoke/openai.gpt-oss-120b-1:0",
        }
        (data / "config.yaml").write_text(yaml.safe_dump({
            "model_list": [{"model_name": name, "litellm_params": own | {"model": model}} for name, model in models.items()],
            "general_settings": {"master_key": MASTER_KEY},
        }))
        gateway = Program(
            "serve", "--config", str(data / "config.yaml"), "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data),
            ready=r"ready\S* address=(http://\S+)",
        )
        programs.append(gateway)
        return Gateway(gateway, data)

    yield start
    for program in reversed(programs):
        program.stop()


@pytest.mark.matrix(client="Claude Code 2.1", dialect="Messages", feature="a session of three tools, thinking, over three turns")
@pytest.mark.skipif(not CLAUDE.exists(), reason="@anthropic-ai/claude-code is not installed for this platform: scripts/setup.sh compat")
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_session(scripted, tmp_path, route):
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    (work / "a.txt").write_text("alpha\n")
    gateway = scripted(work)
    names = {f"ANTHROPIC_{name}": route.model for name in ("MODEL", "SMALL_FAST_MODEL", "DEFAULT_HAIKU_MODEL", "DEFAULT_SONNET_MODEL", "DEFAULT_OPUS_MODEL")}
    env = names | {
        "PATH": os.environ["PATH"], "HOME": str(home), "ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_AUTH_TOKEN": gateway.key, "IS_SANDBOX": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1", "DISABLE_AUTOUPDATER": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1",
    }
    run = subprocess.run(
        [CLAUDE, "-p", "Look at the two files and write b.txt.", "--output-format", "json", "--dangerously-skip-permissions"],
        cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=80,
    )
    result = json.loads(run.stdout.strip().splitlines()[-1])
    assert not result["is_error"] and result["result"] == "All done.", run.stdout + run.stderr + gateway.program.tail()
    assert result["stop_reason"] == "end_turn" and result["num_turns"] >= 3 and not result["permission_denials"]
    assert (work / "b.txt").read_text() == "written"
    assert result["usage"]["output_tokens"] > 0
    log = "".join(gateway.program.log)
    statuses = re.findall(r"path=/v1/messages .*? status=(\d+)", log)  # it may leave a call of its own open when it ends
    assert set(statuses) <= {"200", "499"}, log
