"""Several deployments behind one name: what real clients see while one of them is throttled, is gone, or breaks off."""

import boto3
import openai
import pytest
from botocore.config import Config

from conftest import AWS, MASTER_KEY, Gateway, Program

MODEL = "amazon.nova-lite-v1:0"
HELLO = [{"role": "user", "content": "hello"}]
# Models, and what goes wrong at the first of their two deployments.
FAULTS = {"throttled": "throttle", "gone": "not-found", "cut": "cut", "early": "stream-throttle;after=1", "torn": "cut-stream;after=3"}


@pytest.fixture(scope="module")
def routed(simulator, tmp_path_factory):
    data = tmp_path_factory.mktemp("routing")
    entry = (
        "  - {{model_name: {0}, model_info: {{id: '{0}-{1}'}}, litellm_params: {{model: bedrock/" + MODEL + ", model_id: '{2}', order: {1}, "
        + ", ".join(f"{name}: {value}" for name, value in AWS.items() if name != "region_name")
        + ", aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: '" + simulator + "'}}}}\n"
    )
    config = "model_list:\n"
    for name, fault in FAULTS.items():
        config += entry.format(name, 1, f"{MODEL}.fault-{fault}") + entry.format(name, 2, MODEL)
    config += entry.format("down", 1, f"{MODEL}.fault-unavailable") + entry.format("spare", 1, MODEL)
    config += f"general_settings: {{master_key: {MASTER_KEY}}}\n"
    config += "router_settings: {disable_cooldowns: true, num_retries: 1, fallbacks: [{down: [spare]}]}\n"
    (data / "config.yaml").write_text(config)
    program = Program(
        "serve", "--config", str(data / "config.yaml"), "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data),
        ready=r"Outcrop is ready.*?address\"?[=:]\"?(http://[^\s\",]+)",
    )
    yield Gateway(program, data)
    program.stop()


@pytest.fixture(scope="module")
def client(routed):
    return openai.OpenAI(base_url=routed.base_url, api_key=routed.key, max_retries=0)


@pytest.mark.parametrize("model", ["throttled", "gone", "cut", "early"])
def test_the_other_deployment_answers(client, model):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO)
    answer = raw.parse()
    assert (answer.choices[0].message.content, answer.model) == ("You said: hello", model)
    assert raw.headers["x-litellm-model-id"] == f"{model}-2"
    assert (raw.headers["x-litellm-attempted-retries"], raw.headers["x-litellm-attempted-fallbacks"]) == ("1", "0")
    assert raw.headers["x-outcrop-tries"].startswith(f"{model}-1;status=")


@pytest.mark.parametrize("model", ["throttled", "gone", "cut", "early"])
def test_the_other_deployment_streams(client, model):
    with client.chat.completions.with_streaming_response.create(model=model, messages=HELLO, stream=True) as raw:
        assert raw.headers["x-litellm-model-id"] == f"{model}-2"
        text = "".join(c.choices[0].delta.content or "" for c in raw.parse() if c.choices)
    assert text == "You said: hello"


def test_a_stream_that_breaks_is_told(client):
    text = ""
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(model="torn", messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""
    assert text and "You said: hello".startswith(text)


def test_a_fallback_answers(client):
    raw = client.chat.completions.with_raw_response.create(model="down", messages=HELLO, extra_body={"num_retries": 0})
    assert raw.parse().model == "down"
    assert (raw.headers["x-litellm-model-group"], raw.headers["x-litellm-attempted-fallbacks"]) == ("spare", "1")
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(model="down", messages=HELLO, extra_body={"num_retries": 0, "disable_fallbacks": True})
    assert failed.value.status_code == 503


def test_a_row_tells_the_tries(routed, client, call_id):
    client.chat.completions.create(model="throttled", messages=HELLO, extra_headers={"x-litellm-call-id": call_id})
    row = routed.spend(call_id)
    assert row["model_id"] == "throttled-2" and row["status"] == "success"


@pytest.mark.parametrize("model", ["throttled", "gone", "cut"])
def test_boto3(routed, model):
    bedrock = boto3.client(
        "bedrock-runtime", endpoint_url=routed.url + "/bedrock", region_name="us-east-1",
        aws_access_key_id=routed.key, aws_secret_access_key="anything", config=Config(retries={"total_max_attempts": 1}),
    )
    messages = [{"role": "user", "content": [{"text": "hello"}]}]
    answer = bedrock.converse(modelId=model, messages=messages)
    assert answer["output"]["message"]["content"][0]["text"] == "You said: hello"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-litellm-model-id"] == f"{model}-2"
    stream = bedrock.converse_stream(modelId=model, messages=messages)
    text = "".join(e["contentBlockDelta"]["delta"]["text"] for e in stream["stream"] if "contentBlockDelta" in e)
    assert text == "You said: hello"
