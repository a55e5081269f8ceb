"""The OpenAI client for Python: chat, streams, tools, images, models, completions."""

import json

import openai
import pytest

from samples import MODEL, MODELS, TOOLS, data_url, png, user


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


def text_of(chunks) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


@pytest.mark.parametrize("model", [*MODELS, "us.amazon.nova-lite-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"])
def test_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=user("hello"))
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == model
    [choice] = answer.choices
    assert choice.index == 0
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content == "You said: hello"
    assert not choice.message.tool_calls
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_system_and_history(client):
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "You said: one"},
            {"role": "user", "content": [{"type": "text", "text": "two"}]},
        ],
        temperature=0.5,
        user="somebody",
    )
    assert answer.choices[0].message.content == "You said: two"


def test_text_comes_back_as_it_was(client):
    text = 'quotes " and \\ slashes / tabs\t lines\n é ü 漢字 🪨 \u2028 </script>'
    answer = client.chat.completions.create(model=MODEL, messages=user(text))
    assert answer.choices[0].message.content == "You said: " + text
    streamed = client.chat.completions.create(model=MODEL, messages=user(text), stream=True)
    assert text_of(streamed) == "You said: " + text


def test_stream(client):
    chunks = list(client.chat.completions.create(model=MODEL, messages=user("[[words:40]]"), stream=True))
    assert len(chunks) > 4
    assert {(c.id, c.object, c.model, c.created) for c in chunks} == {
        (chunks[0].id, "chat.completion.chunk", MODEL, chunks[0].created)
    }
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    whole = client.chat.completions.create(model=MODEL, messages=user("[[words:40]]"))
    assert text_of(chunks) == whole.choices[0].message.content
    assert all(c.usage is None for c in chunks)


def test_stream_with_usage(client):
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=user("hello"), stream=True, stream_options={"include_usage": True}
        )
    )
    *before, last = chunks
    assert last.choices == []
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens > 0
    assert all(c.usage is None for c in before)
    whole = client.chat.completions.create(model=MODEL, messages=user("hello"))
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (
        whole.usage.prompt_tokens,
        whole.usage.completion_tokens,
    )


def test_the_clients_own_accumulator_takes_the_stream(client):
    with client.chat.completions.stream(model=MODEL, messages=user('call get_weather {"city":"Oslo"}'), tools=TOOLS) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion()
    [call] = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    assert answer.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("model", MODELS)
def test_tool_round_trip(client, model):
    messages = user('call get_weather {"city":"Oslo"}')
    first = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    assert first.choices[0].finish_reason == "tool_calls"
    [call] = first.choices[0].message.tool_calls
    assert call.type == "function"
    assert call.id
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}

    messages += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "rain, 7 °C"},
    ]
    second = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content == "The tool said: rain, 7 °C"


def test_parallel_tools(client):
    messages = user("call get_weather and get_time")
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    calls = first.choices[0].message.tool_calls
    assert [c.function.name for c in calls] == ["get_weather", "get_time"]
    assert len({c.id for c in calls}) == 2
    assert set(json.loads(calls[0].function.arguments)) == {"city"}

    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages += [{"role": "tool", "tool_call_id": c.id, "content": f"result of {c.function.name}"} for c in calls]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    assert "result of get_weather" in second.choices[0].message.content
    assert "result of get_time" in second.choices[0].message.content


def test_streamed_tools(client):
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=user("call get_weather and get_time"), tools=TOOLS, stream=True
        )
    )
    calls: dict[int, dict] = {}
    for delta in (d for c in chunks for d in c.choices[0].delta.tool_calls or []):
        call = calls.setdefault(delta.index, {"id": delta.id, "name": delta.function.name, "arguments": ""})
        call["arguments"] += delta.function.arguments or ""
    assert [(i, c["name"]) for i, c in sorted(calls.items())] == [(0, "get_weather"), (1, "get_time")]
    assert all(c["id"] and isinstance(json.loads(c["arguments"]), dict) for c in calls.values())
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_forced_tool(client):
    named = {"type": "function", "function": {"name": "get_time"}}
    answer = client.chat.completions.create(model=MODEL, messages=user("hello"), tools=TOOLS, tool_choice=named)
    [call] = answer.choices[0].message.tool_calls
    assert call.function.name == "get_time"
    assert set(json.loads(call.function.arguments)) == {"zone"}
    answer = client.chat.completions.create(model=MODEL, messages=user("hello"), tools=TOOLS, tool_choice="required")
    assert answer.choices[0].finish_reason == "tool_calls"


def test_image(client):
    image = png()
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": data_url(image)}},
                ],
            }
        ],
    )
    assert f"image/png ({len(image)} bytes)" in answer.choices[0].message.content


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_length_limit(client, limit):
    answer = client.chat.completions.create(model=MODEL, messages=user("[[words:100]]"), **{limit: 5})
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens <= 5


def test_stop(client):
    for stop in ("END", ["END", "NEVER"]):
        answer = client.chat.completions.create(model=MODEL, messages=user("[[say:before END after]]"), stop=stop)
        assert answer.choices[0].finish_reason == "stop"
        assert "before" in answer.choices[0].message.content
        assert "after" not in answer.choices[0].message.content


def test_call_is_accounted(client, gateway, call_id):
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=user("hello"), extra_headers={"x-litellm-call-id": call_id}
    )
    answer = raw.parse()
    assert raw.headers["x-litellm-call-id"] == call_id
    row = gateway.spend(call_id)
    assert row["status"] == "success"
    assert row["model_group"] == MODEL
    assert row["request_id"] == answer.id
    assert (row["prompt_tokens"], row["completion_tokens"]) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert row["usage_source"] == "aws"
    assert row["spend"] > 0
    assert gateway.key not in row.values()


@pytest.mark.parametrize("fault", ["", "[[fault:stall-stream]]"])
def test_cancel_in_the_middle(client, gateway, call_id, fault):
    stream = client.chat.completions.create(
        model=MODEL,
        messages=user(fault or "[[words:200000]]"),
        stream=True,
        extra_headers={"x-litellm-call-id": call_id},
    )
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    stream.close()

    row = gateway.spend(call_id)
    assert row["client_closed"] == 1
    assert row["usage_source"] == "estimated"
    assert row["prompt_tokens"] > 0
    assert client.chat.completions.create(model=MODEL, messages=user("still there?")).choices[0].finish_reason == "stop"


def test_models(client):
    ids = [m.id for m in client.models.list()]
    assert set(MODELS) <= set(ids)
    assert len(ids) == len(set(ids))
    assert client.models.retrieve(MODEL).id == MODEL


def test_completions(client):
    answer = client.completions.create(model=MODEL, prompt="hello", max_tokens=50)
    assert answer.object == "text_completion"
    assert answer.choices[0].text == "You said: hello"
    assert answer.choices[0].finish_reason == "stop"
    chunks = list(client.completions.create(model=MODEL, prompt="hello", stream=True))
    assert "".join(c.choices[0].text for c in chunks) == "You said: hello"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_azure_client(gateway):
    """Azure's client puts the model into the path and the key into api-key."""
    with openai.AzureOpenAI(
        azure_endpoint=gateway.url, azure_deployment=MODEL, api_key=gateway.key, api_version="2024-10-21", max_retries=0
    ) as client:
        answer = client.chat.completions.create(model="another", messages=user("hello"))
    assert answer.choices[0].message.content == "You said: hello"


def test_what_is_dropped_is_named(client):
    """With drop_params a parameter that the model does not know is left out, and the answer says so."""
    request = {"model": MODEL, "messages": user("hello"), "logit_bias": {"50256": -100}}
    with pytest.raises(openai.BadRequestError) as e:
        client.chat.completions.create(**request)
    assert e.value.param == "logit_bias"
    raw = client.chat.completions.with_raw_response.create(**request, extra_body={"drop_params": True})
    assert raw.parse().choices[0].message.content == "You said: hello"
    assert "logit_bias" in raw.headers["x-outcrop-loss"]
