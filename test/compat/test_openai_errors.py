"""What the OpenAI client for Python raises."""

import openai
import pytest

from samples import MODEL, TOOLS, data_url, late, user


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


@pytest.mark.parametrize("key", ["sk-wrong", "anything"])
def test_wrong_key(gateway, key):
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as e:
            client.chat.completions.create(model=MODEL, messages=user("hello"))
        assert key not in str(e.value)
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_unknown_model_names_the_nearest(client):
    with pytest.raises(openai.NotFoundError) as e:
        client.chat.completions.create(model="claud", messages=user("hello"))
    assert e.value.code == "model_not_found"
    assert "claud" in e.value.body["message"]
    assert "claude" in e.value.body["message"].replace("'claud'", "")


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"temperature": 9}, "temperature"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"top_p": "high"}, "top_p"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "nothing"}}}, "tool_choice"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": data_url(b"no image")}}]}]},
            "messages[0].content[0]",
        ),
    ],
    ids=lambda p: p if isinstance(p, str) else "",
)
def test_bad_parameter(client, parameters, param):
    with pytest.raises(openai.BadRequestError) as e:
        client.chat.completions.create(**({"model": MODEL, "messages": user("hello")} | parameters))
    assert e.value.param.startswith(param)
    assert e.value.code
    assert e.value.type == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("fault", "raised", "status"),
    [
        ("validation", openai.BadRequestError, 400),
        ("access-denied", openai.PermissionDeniedError, 403),
        ("expired-token", openai.PermissionDeniedError, 403),
        ("not-found", openai.NotFoundError, 404),
        ("timeout", openai.APIStatusError, 408),
        ("throttle", openai.RateLimitError, 429),
        ("not-ready", openai.RateLimitError, 429),
        ("model-error", openai.InternalServerError, 502),
        ("internal", openai.InternalServerError, 500),
        ("unavailable", openai.InternalServerError, 503),
        ("cut", openai.InternalServerError, 502),
    ],
)
def test_errors_of_aws(client, fault, raised, status, stream):
    with pytest.raises(raised) as e:
        client.chat.completions.create(model=MODEL, messages=user(f"[[fault:{fault}]]"), stream=stream)
    assert e.value.status_code == status
    assert e.value.body["message"]
    assert isinstance(e.value.code, str)


def test_aws_says_how_long_to_wait(client):
    with pytest.raises(openai.RateLimitError) as e:
        client.chat.completions.create(model=MODEL, messages=user("[[fault:throttle;retry-after=7]]"))
    assert e.value.response.headers["retry-after"] == "7"
    assert e.value.response.headers["x-should-retry"] == "true"


def test_the_clients_own_retry_helps(client):
    answer = client.with_options(max_retries=3).chat.completions.create(
        model="us.amazon.nova-micro-v1:0", messages=user("[[fault:throttle;times=1]] again")
    )
    assert answer.choices[0].finish_reason == "stop"


def test_context_length(client):
    with pytest.raises(openai.BadRequestError) as e:
        client.chat.completions.create(
            model=MODEL, messages=user("[[fault:validation;message=Input is too long for requested model.]]")
        )
    assert e.value.code == "context_length_exceeded"


@pytest.mark.parametrize("fault", ["stream-throttle", "stream-internal", "stream-model-error", "stream-error", "cut-stream", "cut-frame", "corrupt-frame"])
def test_error_in_a_stream(client, fault):
    stream = client.chat.completions.create(model=MODEL, messages=late(fault), stream=True)
    seen = []
    with pytest.raises(openai.APIError) as e:
        for chunk in stream:
            seen.append(chunk)
    assert e.value.body["message"]
    assert "".join(c.choices[0].delta.content or "" for c in seen).startswith("You said: [[fault:")
    assert all(c.choices[0].finish_reason is None for c in seen)


def test_error_before_a_stream_has_its_status(client):
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(
            model=MODEL, messages=user("[[fault:stream-throttle;after=0]]"), stream=True
        )
