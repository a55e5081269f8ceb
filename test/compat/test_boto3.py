"""boto3 against the simulator alone: what answers the gateway is good enough for AWS's own client, too."""

import json

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from conftest import AWS, AWS_BEARER_TOKEN
from samples import png

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
TOOL_CONFIG = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "description": "The weather of a city",
                "inputSchema": {
                    "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
                },
            }
        }
    ]
}


def user(*blocks) -> list[dict]:
    return [{"role": "user", "content": [{"text": b} if isinstance(b, str) else b for b in blocks]}]


def connect(service: str, url: str, **changes):
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
    return boto3.client(service, endpoint_url=url, config=config, **(AWS | changes))


@pytest.fixture
def runtime(simulator):
    return connect("bedrock-runtime", simulator)


def test_converse(runtime):
    answer = runtime.converse(
        modelId=MODEL,
        system=[{"text": "Be brief."}],
        messages=user("hello"),
        inferenceConfig={"maxTokens": 100, "temperature": 0.5},
    )
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": "You said: hello"}]}
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"]
    assert answer["ResponseMetadata"]["RequestId"]


def test_model_named_by_arn(runtime):
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"
    answer = runtime.converse(modelId=arn, messages=user("hello"))
    assert answer["output"]["message"]["content"][0]["text"] == "You said: hello"


def test_converse_stream(runtime):
    events = list(runtime.converse_stream(modelId=MODEL, messages=user("[[words:30]]"))["stream"])
    names = [next(iter(e)) for e in events]
    assert names[0] == "messageStart"
    assert names[-2:] == ["messageStop", "metadata"]
    text = "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e)
    whole = runtime.converse(modelId=MODEL, messages=user("[[words:30]]"))
    assert text == whole["output"]["message"]["content"][0]["text"]
    assert events[-1]["metadata"]["usage"]["outputTokens"] == whole["usage"]["outputTokens"]


def test_tool_round_trip(runtime):
    messages = user('call get_weather {"city":"Oslo"}')
    first = runtime.converse(modelId=MODEL, messages=messages, toolConfig=TOOL_CONFIG)
    assert first["stopReason"] == "tool_use"
    [use] = [b["toolUse"] for b in first["output"]["message"]["content"] if "toolUse" in b]
    assert use["input"] == {"city": "Oslo"}
    messages += [
        first["output"]["message"],
        *user({"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": "rain"}]}}),
    ]
    second = runtime.converse(modelId=MODEL, messages=messages, toolConfig=TOOL_CONFIG)
    assert second["output"]["message"]["content"][0]["text"] == "The tool said: rain"


def test_streamed_tool(runtime):
    stream = runtime.converse_stream(
        modelId=MODEL, messages=user('call get_weather {"city":"Oslo"}'), toolConfig=TOOL_CONFIG
    )["stream"]
    deltas = [e["contentBlockDelta"]["delta"] for e in stream if "contentBlockDelta" in e]
    assert json.loads("".join(d["toolUse"]["input"] for d in deltas if "toolUse" in d)) == {"city": "Oslo"}


def test_image(runtime):
    image = png()
    answer = runtime.converse(modelId=MODEL, messages=user("look", {"image": {"format": "png", "source": {"bytes": image}}}))
    assert f"image/png ({len(image)} bytes)" in answer["output"]["message"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("fault", "exception", "status"),
    [
        ("validation", "ValidationException", 400),
        ("access-denied", "AccessDeniedException", 403),
        ("not-found", "ResourceNotFoundException", 404),
        ("timeout", "ModelTimeoutException", 408),
        ("model-error", "ModelErrorException", 424),
        ("throttle", "ThrottlingException", 429),
        ("not-ready", "ModelNotReadyException", 429),
        ("internal", "InternalServerException", 500),
        ("unavailable", "ServiceUnavailableException", 503),
    ],
)
def test_typed_exceptions(runtime, fault, exception, status):
    with pytest.raises(getattr(runtime.exceptions, exception)) as e:
        runtime.converse(modelId=MODEL, messages=user(f"[[fault:{fault}]]"))
    assert e.value.response["Error"]["Message"]
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_exception_in_a_stream(runtime):
    with pytest.raises(EventStreamError) as e:
        list(runtime.converse_stream(modelId=MODEL, messages=user("[[fault:stream-throttle]]"))["stream"])
    assert "throttlingException" in str(e.value)


def test_what_aws_refuses(runtime):
    def refused(**request):
        with pytest.raises(runtime.exceptions.ValidationException):
            runtime.converse(**({"modelId": MODEL} | request))

    refused(messages=[{"role": "assistant", "content": [{"text": "me first"}]}])
    refused(messages=user(" "))
    refused(messages=user("hello"), modelId="missing.model-v1:0")
    refused(messages=user("hello", {"toolResult": {"toolUseId": "never-asked", "content": [{"text": "x"}]}}))


def test_count_tokens(runtime):
    messages = user("hello")
    counted = runtime.count_tokens(modelId=MODEL, input={"converse": {"messages": messages}})
    answer = runtime.converse(modelId=MODEL, messages=messages)
    assert counted["inputTokens"] == answer["usage"]["inputTokens"]


def test_invoke_model(runtime):
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hello"}],
    }
    answer = json.loads(runtime.invoke_model(modelId=MODEL, body=json.dumps(body))["body"].read())
    assert answer["content"] == [{"type": "text", "text": "You said: hello"}]
    stream = runtime.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(body))["body"]
    events = [json.loads(e["chunk"]["bytes"]) for e in stream]
    assert events[0]["type"] == "message_start"
    assert events[-1]["type"] == "message_stop"


def test_rerank(simulator):
    agents = connect("bedrock-agent-runtime", simulator)
    text = lambda said: {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": said}}}
    request = {
        "queries": [{"type": "TEXT", "textQuery": {"text": "the rain in Bergen"}}],
        "sources": [text("snow"), text("the rain in Bergen falls")] + [text(f"number {i}") for i in range(150)],
        "rerankingConfiguration": {
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": {
                "numberOfResults": 120,
                "modelConfiguration": {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"},
            },
        },
    }
    first = agents.rerank(**request)
    second = agents.rerank(**request, nextToken=first["nextToken"])
    assert first["results"][0]["index"] == 1
    assert (len(first["results"]), len(second["results"]), "nextToken" in second) == (100, 20, False)


def test_wrong_credentials(simulator):
    wrong = connect("bedrock-runtime", simulator, aws_secret_access_key="wrong")
    with pytest.raises(ClientError) as e:
        wrong.converse(modelId=MODEL, messages=user("hello"))
    assert e.value.response["Error"]["Code"] == "InvalidSignatureException"
    unknown = connect("bedrock-runtime", simulator, aws_access_key_id="AKIANOBODY")
    with pytest.raises(ClientError) as e:
        unknown.converse(modelId=MODEL, messages=user("hello"))
    assert e.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_bearer_token(simulator):
    """boto3 sends an API key over TLS only, so this is a plain call."""

    def status(token: str) -> int:
        url = f"{simulator}/model/{MODEL}/converse"
        return httpx.post(url, headers={"Authorization": f"Bearer {token}"}, json={"messages": user("hello")}).status_code

    assert status(AWS_BEARER_TOKEN) == 200
    assert status("ABSKunknown") == 403


def test_model_lists(simulator):
    bedrock = connect("bedrock", simulator)
    models = bedrock.list_foundation_models()["modelSummaries"]
    assert MODEL in [m["modelId"] for m in models]
    of_amazon = bedrock.list_foundation_models(byProvider="Amazon")["modelSummaries"]
    assert 0 < len(of_amazon) < len(models)
    pages = bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 5})
    profiles = [p["inferenceProfileId"] for page in pages for p in page["inferenceProfileSummaries"]]
    assert len(profiles) == len(set(profiles)) > 5


def test_sts(simulator):
    sts = connect("sts", simulator)
    assert sts.get_caller_identity()["Account"] == "123456789012"
    role = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/app", RoleSessionName="compat")["Credentials"]
    assumed = connect(
        "bedrock-runtime",
        simulator,
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )
    assert assumed.converse(modelId=MODEL, messages=user("hello"))["stopReason"] == "end_turn"
    with pytest.raises(ClientError) as e:
        sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/denied-app", RoleSessionName="compat")
    assert e.value.response["Error"]["Code"] == "AccessDenied"
