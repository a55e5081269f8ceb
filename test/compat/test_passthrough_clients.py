"""LiteLLM's example of /invoke as it is printed, and other clients that speak Bedrock's language."""

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from anthropic import AnthropicBedrock
from botocore.config import Config
from botocore.exceptions import ClientError
from langchain_aws import ChatBedrockConverse
from langchain_core.tools import tool

from conftest import AWS, MASTER_KEY, ROOT, Program, clean_environment
from test_node import run_node
from test_passthrough import HELLO, MODEL

HERE = Path(__file__).parent
OLD = ROOT / ".cache" / "compat" / "old" / "bin" / "python"

# LiteLLM's page has this configuration; AWS's address and credentials are the environment's.
CONFIG = """
model_list:
  - model_name: my-bedrock-model
    litellm_params:
      model: bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0
      aws_region_name: us-west-2
      aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID
      aws_secret_access_key: os.environ/AWS_SECRET_ACCESS_KEY
      custom_llm_provider: bedrock
  - model_name: my-bedrock-model
    litellm_params:
      model: bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0
      aws_region_name: us-east-1
      aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID
      aws_secret_access_key: os.environ/AWS_SECRET_ACCESS_KEY
      custom_llm_provider: bedrock
"""


@pytest.fixture(scope="module", params=["http", "https"])
def seed(request, simulator, tmp_path_factory):
    """The gateway of the page's configuration, and the file of its authority under https."""
    data = tmp_path_factory.mktemp("seed")
    config = data / "config.yaml"
    config.write_text(CONFIG)
    env = {
        "AWS_ACCESS_KEY_ID": AWS["aws_access_key_id"], "AWS_SECRET_ACCESS_KEY": AWS["aws_secret_access_key"],
        "AWS_ENDPOINT_URL": simulator, "LITELLM_MASTER_KEY": "sk-1234",
    }
    tls = ["--tls-self-signed"] if request.param == "https" else []
    program = Program("serve", "--config", str(config), "--host", "127.0.0.1", "--port", "0", *tls, ready=r"ready.* address=(https?://[^\s\"]+)", env=env)
    authority = next((line.partition("=")[2].strip() for line in program.lines if line.startswith("AWS_CA_BUNDLE=")), None)
    yield program.url, authority
    program.stop()


def example(python, url: str, authority: str | None) -> subprocess.CompletedProcess:
    env = clean_environment() | ({"AWS_CA_BUNDLE": authority} if authority else {})
    return subprocess.run([python, HERE / "seed.py", url, "sk-1234"], env=env, capture_output=True, text=True, timeout=60)


def test_example_with_an_old_boto3(seed):
    url, authority = seed
    run = example(OLD, url, authority)
    assert run.stdout == "You said: Hello\n", run.stderr


def test_example_with_a_new_boto3(seed):
    url, authority = seed
    run = example(sys.executable, url, authority)
    if authority:
        assert run.stdout == "You said: Hello\n", run.stderr
    else:  # it sends no byte: see the page on pass-through for the key as access key id
        assert "requires an HTTPS endpoint" in run.stderr


@pytest.mark.parametrize("operation", ["invoke", "invoke-with-response-stream"])
def test_example_with_curl(seed, operation):
    url, authority = seed
    body = '{\n    "max_tokens": 100,\n    "messages": [\n        {\n            "role": "user",\n            "content": "Hello, how are you?"\n        }\n    ],\n    "anthropic_version": "bedrock-2023-05-31"\n}'
    run = subprocess.run(
        ["curl", "-sS", *(["--cacert", authority] if authority else []), "-X", "POST", f"{url}/bedrock/model/my-bedrock-model/{operation}",
         "-H", "Authorization: Bearer sk-1234", "-H", "Content-Type: application/json", "-d", body],
        env=clean_environment(), capture_output=True, timeout=60,
    )
    if operation == "invoke":
        assert json.loads(run.stdout)["content"][0]["text"] == "You said: Hello, how are you?"
    else:
        assert b":event-type" in run.stdout and b'"bytes"' in run.stdout


def test_names_of_the_configuration_only(seed):
    url, authority = seed
    client = boto3.client(
        "bedrock-runtime", endpoint_url=url + "/bedrock", region_name="us-west-2", aws_access_key_id="sk-1234", aws_secret_access_key="anything",
        verify=authority, config=Config(retries={"total_max_attempts": 1}),
    )
    assert client.converse(modelId="my-bedrock-model", messages=HELLO)["stopReason"] == "end_turn"
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="my-bedrock-model"):
        client.converse(modelId=MODEL, messages=HELLO)
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        boto3.client("bedrock-runtime", endpoint_url=url, region_name="us-west-2", aws_access_key_id="sk-12345", aws_secret_access_key="x", verify=authority).converse(
            modelId="my-bedrock-model", messages=HELLO
        )
    # A key that everybody knows opens no control plane.
    control = boto3.client("bedrock", endpoint_url=url + "/bedrock", region_name="us-west-2", aws_access_key_id="sk-1234", aws_secret_access_key="x", verify=authority)
    with pytest.raises(control.exceptions.AccessDeniedException):
        control.list_foundation_models()


def test_limits(simulator, tmp_path):
    """What is the gateway's own refusal is an exception that boto3 knows."""
    config = tmp_path / "config.yaml"
    config.write_text(
        "model_list:\n"
        "  - {model_name: away, litellm_params: {model: bedrock/anthropic.claude-3-haiku-20240307-v1:0, aws_region_name: us-east-1, aws_access_key_id: a, aws_secret_access_key: b,"
        " aws_bedrock_runtime_endpoint: 'http://127.0.0.1:9'}}\n"
        "  - {model_name: slow, litellm_params: {model: bedrock/anthropic.claude-3-haiku-20240307-v1:0, aws_region_name: us-east-1, timeout: 0.3,"
        f" aws_access_key_id: {AWS['aws_access_key_id']}, aws_secret_access_key: {AWS['aws_secret_access_key']}, aws_bedrock_runtime_endpoint: '{simulator}'}}}}\n"
        f"general_settings: {{master_key: {MASTER_KEY}, max_request_size_mb: 0.01, disable_bedrock_agent_runtime_passthrough: true}}\n"
    )
    program = Program("serve", "--config", str(config), "--host", "127.0.0.1", "--port", "0", ready=r"ready.* address=(http://[^\s\"]+)")
    try:
        def client(service):
            return boto3.client(
                service, endpoint_url=program.url + "/bedrock", region_name="us-east-1", aws_access_key_id=MASTER_KEY, aws_secret_access_key="x",
                config=Config(retries={"total_max_attempts": 1}),
            )

        runtime = client("bedrock-runtime")
        with pytest.raises(runtime.exceptions.ServiceUnavailableException) as e:
            runtime.converse(modelId="away", messages=HELLO)
        assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        with pytest.raises(runtime.exceptions.ModelTimeoutException) as e:
            runtime.converse(modelId="slow", messages=[{"role": "user", "content": [{"text": "[[fault:stall]]"}]}])
        assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 408
        with pytest.raises(ClientError, match="RequestEntityTooLargeException"):
            runtime.converse(modelId="slow", messages=[{"role": "user", "content": [{"text": "x" * 20000}]}])
        with pytest.raises(runtime.exceptions.ValidationException):
            runtime.invoke_model(modelId="a/../b", body=b"{}")
        with pytest.raises(runtime.exceptions.ResourceNotFoundException):
            runtime.invoke_model(modelId="nobody", body=b"{}")
        agents = client("bedrock-agent-runtime")
        with pytest.raises(agents.exceptions.AccessDeniedException, match="disable_bedrock_agent_runtime_passthrough"):
            agents.retrieve(knowledgeBaseId="KB12345678", retrievalQuery={"text": "x"})
    finally:
        program.stop()


def test_langchain(gateway):
    model = ChatBedrockConverse(
        model="claude", provider="anthropic", region_name="us-east-1", endpoint_url=gateway.url + "/bedrock",
        aws_access_key_id=f"Bearer {gateway.key}", aws_secret_access_key="anything",
    )
    answer = model.invoke("Hello!")
    assert answer.text == "You said: Hello!" and answer.usage_metadata["output_tokens"] > 0
    assert "".join(chunk.text for chunk in model.stream("Hello!")) == "You said: Hello!"

    @tool
    def weather(city: str) -> str:
        """Tells the weather of a city."""
        return city

    asked = model.bind_tools([weather]).invoke('call weather {"city": "Bergen"}')
    assert [(c["name"], c["args"]) for c in asked.tool_calls] == [("weather", {"city": "Bergen"})]


@pytest.mark.parametrize("model", ["claude", MODEL])
def test_anthropic(gateway, model):
    with AnthropicBedrock(base_url=gateway.url + "/bedrock", aws_region="us-east-1", aws_access_key=gateway.key, aws_secret_key="anything") as client:
        said = [{"role": "user", "content": "Hello!"}]
        answer = client.messages.create(model=model, max_tokens=100, messages=said)
        assert answer.content[0].text == "You said: Hello!" and answer.usage.output_tokens > 0
        with client.messages.stream(model=model, max_tokens=100, messages=said) as stream:
            assert "".join(stream.text_stream) == "You said: Hello!"


def test_aws_sdk_for_javascript(gateway):
    run_node(gateway, "aws.mjs", 8)
