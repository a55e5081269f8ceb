"""boto3 through the gateway, in Bedrock's own language: only its endpoint and its key are others."""

import json

import boto3
import httpx
import pytest
from botocore.config import Config

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
HELLO = [{"role": "user", "content": [{"text": "Hello!"}]}]


def connect(gateway, key: str | None = None, path: str = "/bedrock"):
    return boto3.client(
        "bedrock-runtime", endpoint_url=gateway.url + path, region_name="us-east-1",
        aws_access_key_id=key or gateway.key, aws_secret_access_key="anything",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def client(gateway):
    return connect(gateway)


def spend(gateway, answer) -> dict:
    return gateway.spend(answer["ResponseMetadata"]["HTTPHeaders"]["x-litellm-call-id"])


@pytest.mark.parametrize("model", ["claude", MODEL, "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"])
def test_converse(gateway, client, model):
    answer = client.converse(modelId=model, messages=HELLO)
    assert answer["output"]["message"]["content"][0]["text"] == "You said: Hello!"
    row = spend(gateway, answer)
    assert row["call_type"] == "allm_passthrough_route"
    assert row["input_tokens"] == answer["usage"]["inputTokens"] and row["spend"] > 0


def test_converse_stream(gateway, client):
    answer = client.converse_stream(modelId="claude", messages=HELLO)
    events = list(answer["stream"])
    text = "".join(e["contentBlockDelta"]["delta"].get("text", "") for e in events if "contentBlockDelta" in e)
    assert text == "You said: Hello!"
    usage = next(e["metadata"]["usage"] for e in events if "metadata" in e)
    row = spend(gateway, answer)
    assert (row["completion_tokens"], row["usage_source"]) == (usage["outputTokens"], "aws")


def test_invoke(gateway, client):
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
    answer = client.invoke_model(modelId="claude", body=json.dumps(body), trace="ENABLED", guardrailIdentifier="gr-1", guardrailVersion="1")
    told = json.loads(answer["body"].read())
    assert told["content"][0]["text"] == "You said: Hi"
    assert "amazon-bedrock-trace" in told  # the headers of the guardrail have travelled
    stream = client.invoke_model_with_response_stream(modelId="claude", body=json.dumps(body))
    chunks = [json.loads(e["chunk"]["bytes"]) for e in stream["body"]]
    assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] > 0
    assert spend(gateway, stream)["completion_tokens"] > 0


def test_count_tokens(client):
    answer = client.count_tokens(modelId="anthropic.claude-3-haiku-20240307-v1:0", input={"converse": {"messages": HELLO}})
    assert answer["inputTokens"] > 0


def test_embeddings(gateway, client):
    answer = client.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=json.dumps({"inputText": "rain"}))
    assert len(json.loads(answer["body"].read())["embedding"]) == 1024
    assert spend(gateway, answer)["spend"] > 0


def test_other_ways_to_bring_the_key(gateway):
    assert connect(gateway, key=f"Bearer {gateway.key}").converse(modelId="claude", messages=HELLO)
    assert connect(gateway, path="").converse(modelId="claude", messages=HELLO)
    hooked = connect(gateway, key="AKIDSOMEBODY")
    hooked.meta.events.register("before-sign.bedrock-runtime.*", lambda request, **_: request.headers.add_header("x-litellm-api-key", gateway.key))
    assert hooked.converse(modelId="claude", messages=HELLO)


def test_exceptions(gateway, client):
    with pytest.raises(client.exceptions.ValidationException, match="identifier is invalid"):  # AWS's own word, by the wildcard
        client.converse(modelId="no-such-model", messages=HELLO)
    with pytest.raises(client.exceptions.ValidationException):
        client.converse(modelId="claude", messages=[{"role": "assistant", "content": [{"text": "x"}]}])
    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(modelId="claude", messages=[{"role": "user", "content": [{"text": "[[fault:throttle]]"}]}])
    with pytest.raises(client.exceptions.ClientError, match="UnrecognizedClientException"):
        connect(gateway, key="sk-wrong").converse(modelId="claude", messages=HELLO)


def test_curl_of_the_seed(gateway):
    answer = httpx.post(
        gateway.url + "/bedrock/model/claude/converse", headers={"Authorization": f"Bearer {gateway.key}"}, json={"messages": HELLO, "system": [{"text": "Be short."}]}
    )
    assert answer.status_code == 200 and answer.json()["stopReason"] == "end_turn"
