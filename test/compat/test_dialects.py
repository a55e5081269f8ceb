"""The OpenAI client on the same ways as the Anthropic client: two dialects, one core."""

import base64

import openai
import pytest

from matrix import Route
from samples import TOOLS, data_url, pdf, png, user
from test_anthropic import BOTH, CONVERSE, GPT, NOVA, on

INVOKE = Route("Claude, InvokeModel", "bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0")
ROUTES, SEEING = on([INVOKE, CONVERSE, NOVA, GPT]), on([INVOKE, CONVERSE, NOVA])


def cell(feature: str):
    return pytest.mark.matrix(client="openai (Python)", dialect="Chat Completions", feature=feature)


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


@cell("create")
@ROUTES
def test_create(client, route):
    answer = client.chat.completions.create(model=route.model, messages=user("Hello!"))
    assert answer.choices[0].message.content == "You said: Hello!" and answer.usage.total_tokens > 0


@cell("stream")
@ROUTES
def test_stream(client, route):
    whole = client.chat.completions.create(model=route.model, messages=user("[[words:60]]")).choices[0].message.content
    chunks = client.chat.completions.create(model=route.model, messages=user("[[words:60]]"), stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole


@cell("tools, parallel")
@ROUTES
def test_tool_loop(client, route):
    messages = user(BOTH)
    message = client.chat.completions.create(model=route.model, messages=messages, tools=TOOLS).choices[0].message
    assert [c.function.name for c in message.tool_calls] == ["get_weather", "get_time"]
    results = [{"role": "tool", "tool_call_id": c.id, "content": c.function.arguments} for c in message.tool_calls]
    final = client.chat.completions.create(model=route.model, messages=[*messages, message, *results], tools=TOOLS).choices[0].message
    assert "Bergen" in final.content and "CET" in final.content


@cell("thinking with tools, over turns")
@on([CONVERSE, INVOKE])
def test_thinking_with_tools(client, route):
    messages = user('call get_weather {"city":"Bergen"}')
    first = client.chat.completions.create(model=route.model, messages=messages, tools=TOOLS, reasoning_effort="low").choices[0].message
    assert first.thinking_blocks[0]["signature"]
    said = {"role": "assistant", "content": first.content, "thinking_blocks": first.thinking_blocks, "tool_calls": [c.model_dump() for c in first.tool_calls]}
    results = [{"role": "tool", "tool_call_id": c.id, "content": "rain"} for c in first.tool_calls]
    second = client.chat.completions.create(model=route.model, messages=[*messages, said, *results], tools=TOOLS, reasoning_effort="low").choices[0].message
    assert "rain" in second.content and second.thinking_blocks


@cell("vision")
@SEEING
def test_vision(client, route):
    parts = [{"type": "image_url", "image_url": {"url": data_url(png())}}, {"type": "text", "text": "look"}]
    assert "image/png" in client.chat.completions.create(model=route.model, messages=user(parts)).choices[0].message.content


@cell("PDF")
@SEEING
def test_pdf(client, route):
    file = {"file_data": "data:application/pdf;base64," + base64.b64encode(pdf()).decode(), "filename": "report.pdf"}
    parts = [{"type": "file", "file": file}, {"type": "text", "text": "read"}]
    assert "pdf" in client.chat.completions.create(model=route.model, messages=user(parts)).choices[0].message.content


@cell("errors")
@ROUTES
def test_errors(client, route):
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=route.model, messages=user("[[fault:throttle]]"))
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=route.model, messages=user("[[fault:validation]]"), stream=True)
