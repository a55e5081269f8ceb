"""LangChain's ChatOpenAI."""

import openai
import pytest
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from samples import MODEL, data_url, late, png


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


class Place(BaseModel):
    """A place on the map."""

    city: str
    people: int


@pytest.fixture
def chat(gateway):
    return ChatOpenAI(model=MODEL, base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30)


def test_invoke(chat):
    answer = chat.invoke([SystemMessage("Be brief."), HumanMessage("hello")])
    assert answer.content == "You said: hello"
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata["total_tokens"] > 0


def test_stream(chat):
    chunks = list(chat.stream("[[words:30]]", stream_usage=True))
    assert len(chunks) > 3
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.content == chat.invoke("[[words:30]]").content
    assert whole.usage_metadata["output_tokens"] > 0


def test_batch(chat):
    answers = chat.batch([f"number {i}" for i in range(8)])
    assert [a.content for a in answers] == [f"You said: number {i}" for i in range(8)]


def test_tools(chat):
    with_tools = chat.bind_tools([get_weather])
    messages = [HumanMessage('call get_weather {"city":"Bergen"}')]
    first = with_tools.invoke(messages)
    [call] = first.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Bergen"})
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage)
    second = with_tools.invoke([*messages, first, result])
    assert second.content == "The tool said: rain in Bergen"


def test_streamed_tools(chat):
    whole = None
    for chunk in chat.bind_tools([get_weather]).stream('call get_weather {"city":"Bergen"}'):
        whole = chunk if whole is None else whole + chunk
    assert whole.tool_calls[0]["args"] == {"city": "Bergen"}


def test_structured_output(chat):
    place = chat.with_structured_output(Place, method="function_calling").invoke("hello")
    assert isinstance(place, Place)


def test_image(chat):
    image = png()
    message = HumanMessage([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": data_url(image)}}])
    assert f"image/png ({len(image)} bytes)" in chat.invoke([message]).content


async def test_async(chat):
    assert (await chat.ainvoke("hello")).content == "You said: hello"
    parts = [chunk.content async for chunk in chat.astream("hello")]
    assert "".join(parts) == "You said: hello"


def test_errors(chat, gateway):
    with pytest.raises(openai.RateLimitError):
        chat.invoke("[[fault:throttle]]")
    with pytest.raises(openai.APIError):
        list(chat.stream(late("stream-throttle")))
    wrong = ChatOpenAI(model=MODEL, base_url=gateway.base_url, api_key="sk-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        wrong.invoke("hello")
