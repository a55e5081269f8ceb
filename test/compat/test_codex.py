"""OpenAI's Codex, its own program, in a session with two tools: it writes a file, reads it, and says what is in it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from conftest import AWS, MASTER_KEY, Program, clean_environment
from matrix import Route

CODEX = Path(__file__).parent / "codex" / "node_modules" / ".bin" / "codex"

# Three turns of the model's for each session: a call, another call, the answer. Matching by number keeps it to a session.
SESSION = """
rules:
  - match: {{model: "{model}", nth: 1}}
    reply:
      {reasoning}
      text: I write it first.
      tool_calls: [{{name: exec_command, input: {{cmd: "printf 'hello from the model' > note.txt"}}}}]
  - match: {{model: "{model}", nth: 1}}
    reply:
      tool_calls: [{{name: exec_command, input: {{cmd: "cat note.txt"}}}}]
  - match: {{model: "{model}", nth: 1}}
    reply: {{text: The note is written and read.}}
"""

CONFIG = """
model_list:
  - model_name: agent
    litellm_params: {{model: "bedrock/{model}", aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: "{upstream}"}}
general_settings: {{master_key: {key}}}
"""

CODEX_CONFIG = """
model = "agent"
model_provider = "outcrop"
{effort}
[model_providers.outcrop]
name = "Outcrop"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "OUTCROP_KEY"
"""


@pytest.mark.matrix(client="Codex 0.171", dialect="Responses", feature="a session of two tools, over three turns")
@pytest.mark.parametrize(
    ("way", "route"),
    [
        (Route("Claude, Converse", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), "converse"),
        (Route("Nova, Converse", "us.amazon.nova-pro-v1:0", thinks=False), "converse"),
        (Route("GPT, native Responses", "openai.gpt-5.6-sol"), "responses"),
    ],
    ids=str,
)
def test_codex_session(tmp_path, way, route):
    model, thinks = way.model, way.thinks
    assert CODEX.exists(), "Codex is missing: run scripts/setup.sh compat"
    scenario, config = tmp_path / "session.yaml", tmp_path / "config.yaml"
    scenario.write_text(SESSION.format(model=model, reasoning="reasoning: I have to write it." if thinks else ""))
    simulator = Program("sim", "--port", "0", "--scenario", str(scenario), ready=r"ready on (http://\S+)")
    config.write_text(CONFIG.format(model=model, upstream=simulator.url, key=MASTER_KEY))
    credentials = {"AWS_ACCESS_KEY_ID": AWS["aws_access_key_id"], "AWS_SECRET_ACCESS_KEY": AWS["aws_secret_access_key"]}
    gateway = Program(
        "--config", str(config), "--host", "127.0.0.1", "--port", "0", "--data-dir", str(tmp_path), "--debug",
        ready=r"(http://127\.0\.0\.1:\d+)", env=credentials,
    )
    try:
        home, work = tmp_path / "home", tmp_path / "work"
        home.mkdir()
        work.mkdir()
        effort = 'model_reasoning_effort = "low"' if thinks else ""
        (home / "config.toml").write_text(CODEX_CONFIG.format(url=gateway.url, effort=effort))
        run = subprocess.run(
            [CODEX, "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Write a note and read it."],
            cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            env=clean_environment() | {"CODEX_HOME": str(home), "OUTCROP_KEY": MASTER_KEY, "HOME": str(home), "PATH": os.environ["PATH"]},
        )
        assert run.returncode == 0, run.stdout + run.stderr + gateway.tail()
        events = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
        items = [e["item"] for e in events if e["type"] == "item.completed"]
        commands = [i for i in items if i["type"] == "command_execution"]
        assert [c["exit_code"] for c in commands] == [0, 0], items
        assert commands[1]["aggregated_output"] == "hello from the model"
        assert (work / "note.txt").read_text() == "hello from the model"
        said = [i["text"] for i in items if i["type"] == "agent_message"]
        assert said == ["I write it first.", "The note is written and read."]
        if thinks:
            assert any(i["type"] == "reasoning" for i in items), items
        [done] = [e for e in events if e["type"] == "turn.completed"]
        assert done["usage"]["input_tokens"] > 0 < done["usage"]["output_tokens"]
        assert not [e for e in events if e["type"] in ("error", "turn.failed")], events
        assert f"route={route}" in "".join(gateway.log + gateway.lines) or f'"route":"{route}"' in "".join(gateway.log + gateway.lines)
    finally:
        gateway.stop()
        simulator.stop()
