"""The asynchronous OpenAI client for Python: many calls at once, streams, cancellation."""

import asyncio
import json

import openai
import pytest

from samples import MODEL, MODELS, TOOLS, late, user


@pytest.fixture
async def client(gateway):
    async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


async def stream_text(client, model: str, text: str) -> str:
    parts = []
    async for chunk in await client.chat.completions.create(model=model, messages=user(text), stream=True):
        parts.append(chunk.choices[0].delta.content or "")
    return "".join(parts)


async def test_many_calls_at_once_do_not_mix(client):
    async def whole(i: int):
        answer = await client.chat.completions.create(model=MODELS[i % 3], messages=user(f"number {i}"))
        assert answer.choices[0].message.content == f"You said: number {i}"
        assert answer.model == MODELS[i % 3]
        return answer.id

    async def streamed(i: int):
        assert await stream_text(client, MODELS[i % 3], f"stream {i}") == f"You said: stream {i}"

    answers = await asyncio.gather(*(whole(i) for i in range(40)), *(streamed(i) for i in range(40)))
    ids = [a for a in answers if a]
    assert len(set(ids)) == 40


async def test_tool_round_trip(client):
    messages = user('call get_time {"zone":"CET"}')
    first = await client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    [call] = first.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"zone": "CET"}
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "noon"}]
    second = await client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    assert second.choices[0].message.content == "The tool said: noon"


async def test_error_in_a_stream(client):
    stream = await client.chat.completions.create(model=MODEL, messages=late("stream-throttle"), stream=True)
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass


async def test_cancelled_task_ends_the_call(client, gateway, call_id):
    """A task that is cancelled while it waits for a chunk closes its connection; the gateway notices."""
    waiting = asyncio.Event()

    async def read():
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=user("[[fault:stall-stream]]"),
            stream=True,
            extra_headers={"x-litellm-call-id": call_id},
        )
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                waiting.set()

    task = asyncio.create_task(read())
    await asyncio.wait_for(waiting.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    row = await asyncio.to_thread(gateway.spend, call_id)
    assert row["client_closed"] == 1
    assert await stream_text(client, MODEL, "still there?") == "You said: still there?"


async def test_abandoned_call_ends(client, gateway, call_id):
    """The same before any byte of the answer has come."""
    with pytest.raises(openai.APITimeoutError):
        await client.with_options(timeout=1).chat.completions.create(
            model=MODEL, messages=user("[[fault:stall]]"), extra_headers={"x-litellm-call-id": call_id}
        )
    row = await asyncio.to_thread(gateway.spend, call_id)
    assert row["client_closed"] == 1
