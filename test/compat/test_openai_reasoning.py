"""Reasoning through the OpenAI client: efforts, thoughts in answers and streams, thoughts sent back."""

import json

import openai
import pytest

from samples import NATIVE, THINKING, TOOLS, user

EFFORTS = ["minimal", "low", "medium", "high", "xhigh"]
OTHERS = ["us.amazon.nova-2-lite-v1:0", "openai.gpt-oss-20b-1:0"]


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


@pytest.mark.parametrize("model", [THINKING, NATIVE, *OTHERS])
@pytest.mark.parametrize("effort", EFFORTS)
def test_effort(client, model, effort):
    answer = client.chat.completions.create(model=model, messages=user("hello"), reasoning_effort=effort)
    message = answer.choices[0].message
    assert message.content == "You said: hello"
    assert "hello" in message.reasoning_content
    if model in (THINKING, NATIVE):
        [block] = message.thinking_blocks
        assert block["type"] == "thinking" and block["signature"]
        assert block["thinking"] == message.reasoning_content
    else:
        assert not getattr(message, "thinking_blocks", None), "unsigned thoughts cannot go back"


@pytest.mark.parametrize("effort", [None, "none"])
def test_no_effort(client, effort):
    answer = client.chat.completions.create(model=THINKING, messages=user("hello"), reasoning_effort=effort)
    assert not getattr(answer.choices[0].message, "reasoning_content", None)


def test_a_word_that_is_no_effort(client):
    with pytest.raises(openai.BadRequestError) as e:
        client.chat.completions.create(model=THINKING, messages=user("hello"), reasoning_effort="immense")
    assert e.value.param == "reasoning_effort"


def test_a_model_that_does_not_reason(client):
    request = {"model": "llama", "messages": user("hello"), "reasoning_effort": "low"}
    with pytest.raises(openai.BadRequestError) as e:
        client.chat.completions.create(**request)
    assert (e.value.param, e.value.code) == ("reasoning_effort", "unsupported_parameter")
    raw = client.chat.completions.with_raw_response.create(**request, extra_body={"drop_params": True})
    assert "reasoning_effort" in raw.headers["x-outcrop-loss"]


def test_thinking_as_anthropic_says_it(client):
    thinking = {"type": "enabled", "budget_tokens": 2000}
    answer = client.chat.completions.create(
        model=THINKING, messages=user("hello"), max_tokens=4000, extra_body={"thinking": thinking}
    )
    assert answer.choices[0].message.reasoning_content


@pytest.mark.parametrize("model", [THINKING, *OTHERS])
def test_a_stream_is_the_same_as_the_whole(client, model):
    request = {"model": model, "messages": user("[[words:30]]"), "reasoning_effort": "low"}
    whole = client.chat.completions.create(**request).choices[0].message
    thoughts, text, order = "", "", []
    for chunk in client.chat.completions.create(**request, stream=True):
        delta = chunk.choices[0].delta
        if thought := getattr(delta, "reasoning_content", None):
            thoughts += thought
            order.append("thought")
        if delta.content:
            text += delta.content
            order.append("text")
    assert (thoughts, text) == (whole.reasoning_content, whole.content)
    assert order == sorted(order, reverse=True), "a thought came behind the text"


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_go_back_with_the_history(client, streamed):
    """A tool loop while thinking: AWS wants the signed thoughts before the calls, and the simulator checks that."""
    request = {"model": THINKING, "tools": TOOLS, "reasoning_effort": "low"}
    messages = user('call get_weather {"city":"Oslo"}')
    if streamed:
        message = streamed_message(client.chat.completions.create(messages=messages, stream=True, **request))
    else:
        message = client.chat.completions.create(messages=messages, **request).choices[0].message.model_dump(exclude_none=True)
    [call] = message["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo"}
    assert message["thinking_blocks"][0]["signature"]
    messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "rain"}]
    raw = client.chat.completions.with_raw_response.create(messages=messages, **request)
    last = raw.parse().choices[0].message
    assert last.content == "The tool said: rain"
    assert last.reasoning_content
    assert "x-outcrop-loss" not in raw.headers


def streamed_message(stream) -> dict:
    """The message of a stream, put together as a client does that knows nothing of thoughts but keeps them."""
    message = {"role": "assistant", "content": "", "tool_calls": [], "thinking_blocks": []}
    for chunk in stream:
        delta = chunk.choices[0].delta.model_dump(exclude_none=True)
        message["content"] += delta.get("content", "")
        for block in delta.get("thinking_blocks", []):
            if block["index"] == len(message["thinking_blocks"]):
                message["thinking_blocks"].append({"type": block["type"], "thinking": "", "signature": ""})
            for key in ("thinking", "signature"):
                message["thinking_blocks"][block["index"]][key] += block.get(key, "")
        for call in delta.get("tool_calls", []):
            if call["index"] == len(message["tool_calls"]):
                message["tool_calls"].append({"id": call["id"], "type": "function", "function": {"name": call["function"]["name"], "arguments": ""}})
            message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"].get("arguments", "")
    return message


def test_a_history_without_its_thoughts_does_not_fail(client):
    """A client that keeps calls and drops thoughts: thinking is left out of that call, by name."""
    messages = [
        *user("weather?"),
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        ]},
        {"role": "tool", "tool_call_id": "t1", "content": "rain"},
    ]
    raw = client.chat.completions.with_raw_response.create(
        model=THINKING, messages=messages, tools=TOOLS, reasoning_effort="low"
    )
    assert raw.parse().choices[0].message.content == "The tool said: rain"
    assert "reasoning_effort;why=history" in raw.headers["x-outcrop-loss"]


def test_unsigned_thoughts_are_not_sent(client):
    messages = [
        *user("one"),
        {"role": "assistant", "content": "You said: one", "reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]},
        *user("two"),
    ]
    raw = client.chat.completions.with_raw_response.create(model=THINKING, messages=messages)
    assert raw.parse().choices[0].message.content == "You said: two"
    assert raw.headers["x-outcrop-loss"] == "messages[1].thinking_blocks[0];why=reasoning"
