"""docs/features.md works as printed.

The page's configurations (```yaml), commands (```shell) and programs (```python) are taken out of it. Each runs against a
gateway that was started with the configuration which stands last before it in its section, else with the page's first.
Behind each stands its answer: ```json is a part of the answer's JSON, ```text are pieces of the output in their order. In
both, … stands for any text.

An answer with an "error" must come with a status from 400, any other with 200.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import AWS, AWS_BEARER_TOKEN, ROOT, Program, clean_environment
from samples import pdf, png

PAGE = ROOT / "docs" / "features.md"
SCENARIO = Path(__file__).with_name("features.sim.yaml")
KEY = "sk-features-2b7e151628aed2a6ab"


@dataclass
class Block:
    section: str
    line: int
    language: str
    text: str


@dataclass
class Example:
    run: Block
    answer: Block | None
    config: str

    def __str__(self) -> str:
        return f"{self.run.section} (line {self.run.line})"


def blocks() -> list[Block]:
    out: list[Block] = []
    section, inside = "", None
    for number, line in enumerate(PAGE.read_text().splitlines(), start=1):
        if inside:
            if line == "```":
                out.append(inside)
                inside = None
            else:
                inside.text += line + "\n"
        elif line.startswith("```"):
            inside = Block(section, number, line.removeprefix("```"), "")
        elif line.startswith("## "):
            section = line.removeprefix("## ")
    assert inside is None, f"the block of line {inside.line} does not end"
    return out


def examples() -> list[Example]:
    out: list[Example] = []
    first, config, section = None, None, None
    for block in blocks():
        if block.section != section:
            section, config = block.section, None
        if block.language == "yaml":
            config = block.text
            first = first or config
        elif block.language in ("shell", "python"):
            out.append(Example(block, None, config or first))
        elif block.language in ("json", "text") and out and out[-1].answer is None:
            out[-1].answer = block
    return out


EXAMPLES = examples()


def test_the_page_is_read_whole():
    assert len(EXAMPLES) > 50
    assert {b.language for b in blocks()} == {"yaml", "shell", "python", "json", "text", "sh"}
    for example in EXAMPLES:
        assert example.answer, f"{example} has no answer"
        assert example.answer.section == example.run.section, f"{example} has no answer"
    for block in blocks():
        if block.language == "shell":
            assert "curl " in block.text, f"line {block.line}: no curl; what is not to be run is ```sh"
        if block.language == "sh":
            assert "curl " not in block.text, f"line {block.line}: a curl that no test runs"


@pytest.fixture(scope="module")
def bedrock(tmp_path_factory):
    program = Program("sim", "--port", "0", "--scenario", str(SCENARIO), ready=r"ready on (http://\S+)")
    yield program.url
    program.stop()


@pytest.fixture(scope="module")
def environment_of_the_page(bedrock, httpserver_of_files):
    return {
        "AWS_ACCESS_KEY_ID": AWS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": AWS["aws_secret_access_key"],
        "AWS_REGION": AWS["region_name"],
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock,
        "BEDROCK_API_KEY": AWS_BEARER_TOKEN,
        "BEDROCK_ENDPOINT": bedrock,
        "BEDROCK_PROXY_URL": bedrock + "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
        "FILES_HOST": httpserver_of_files,
        "OUTCROP_MASTER_KEY": KEY,
        "OUTCROP_KEY": KEY,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the commands run: it has the files that they read."""
    folder = tmp_path_factory.mktemp("features")
    (folder / "photo.png").write_bytes(png())
    (folder / "report.pdf").write_bytes(pdf())
    (folder / "table.csv").write_text("city,people\nOslo,717710\n")
    (folder / "clip.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom")
    return folder


@pytest.fixture(scope="module")
def httpserver_of_files(folder):
    """Host and port of a web server for the files."""
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    yield "127.0.0.1:" + re.search(r"port (\d+)", server.stdout.readline()).group(1)
    server.terminate()
    server.wait(10)
    server.stdout.close()


@pytest.fixture(scope="module")
def gateways(environment_of_the_page, tmp_path_factory):
    """A running gateway for each configuration of the page."""
    running: dict[str, Program] = {}

    def start(config: str) -> str:
        if config not in running:
            data = tmp_path_factory.mktemp("config")
            (data / "config.yaml").write_text(config)
            running[config] = Program(
                "serve", "--config", str(data / "config.yaml"), "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data),
                ready=r'"Outcrop is ready" address=(http://\S+)', env=environment_of_the_page,
            )
        return running[config].url

    yield start
    for program in running.values():
        program.stop()
        assert "does not have yet" not in "".join(program.log), program.tail()


def output_of(example: Example, url: str, folder: Path, env: dict[str, str]) -> tuple[str, int]:
    """What the example prints, and the status of its last call."""
    host, port = url.removeprefix("http://").split(":")
    if example.run.language == "python":
        env = env | {"OPENAI_BASE_URL": url + "/v1", "OPENAI_API_KEY": KEY}
        env |= {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url + "/bedrock", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "anything"}
        command = [sys.executable, "-c", example.run.text]
    else:
        # curl alone goes elsewhere than printed: to the port that the system chose for this gateway.
        (folder / ".curlrc").write_text(
            f'silent\nshow-error\nconnect-to = "localhost:4000:{host}:{port}"\nwrite-out = "\\n%{{http_code}}\\n"\n'
        )
        env = env | {"CURL_HOME": str(folder)}
        command = ["bash", "-eu", "-c", example.run.text]
    done = subprocess.run(
        command, cwd=folder, env=clean_environment() | env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    if example.run.language == "python":
        return done.stdout, 200
    output, status = done.stdout.rstrip("\n").rsplit("\n", 1)
    return output, int(status)


def like(pattern: str) -> str:
    return ".*".join(re.escape(piece) for piece in pattern.split("…"))


def differences(want, got, path: str = "") -> list[str]:
    """Where got lacks what is wanted."""
    if isinstance(want, dict) and isinstance(got, dict):
        return [d for k, v in want.items() for d in differences(v, got.get(k), f"{path}.{k}")]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [d for i, (w, g) in enumerate(zip(want, got)) for d in differences(w, g, f"{path}[{i}]")]
    if isinstance(want, str) and isinstance(got, str):
        return [] if re.fullmatch(like(want), got, re.DOTALL) else [f"{path}: want {want!r}, got {got!r}"]
    return [] if type(want) is type(got) and want == got else [f"{path}: want {want!r}, got {got!r}"]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example(example, gateways, folder, environment_of_the_page):
    output, status = output_of(example, gateways(example.config), folder, environment_of_the_page)
    if example.answer.language == "json":
        want = json.loads(example.answer.text)
        assert (status >= 400) == ("error" in want), f"{status}: {output}"
        missing = differences(want, json.loads(output.splitlines()[-1]))
        assert not missing, "\n".join(missing) + "\n" + output
    else:
        assert status == 200, output
        pieces = [like(line.strip()) for line in example.answer.text.splitlines() if line.strip()]
        assert re.search(".*".join(pieces), output.replace("\r", ""), re.DOTALL), output
