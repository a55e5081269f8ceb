"""Structured output through the OpenAI client's own parser: pydantic models, tools, streams."""

import enum

import openai
import pytest
from pydantic import BaseModel, Field

from samples import MODELS, NATIVE, THINKING, user


class Level(enum.StrEnum):
    LOW = "low"
    HIGH = "high"


class Step(BaseModel):
    explanation: str
    output: float


class Answer(BaseModel):
    """How a problem is solved."""

    steps: list[Step]
    certainty: Level
    final: str = Field(description="in one sentence")
    remark: str | None
    check: Step | None = None


class Weather(BaseModel):
    city: str
    unit: Level


MANY = [MODELS[0], MODELS[1], NATIVE, THINKING]


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


@pytest.fixture
async def aclient(gateway):
    async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


def check(answer):
    [choice] = answer.choices
    assert choice.finish_reason == "stop"
    assert not choice.message.tool_calls
    parsed = choice.message.parsed
    assert isinstance(parsed, Answer)
    assert parsed.steps and isinstance(parsed.steps[0], Step)
    assert isinstance(parsed.certainty, Level)


@pytest.mark.parametrize("model", MANY)
def test_parse(client, model):
    check(client.chat.completions.parse(model=model, messages=user("solve it"), response_format=Answer))


@pytest.mark.parametrize("model", MANY)
async def test_parse_async(aclient, model):
    check(await aclient.chat.completions.parse(model=model, messages=user("solve it"), response_format=Answer))


@pytest.mark.parametrize("model", MANY)
def test_parse_streamed(client, model):
    with client.chat.completions.stream(model=model, messages=user("solve it"), response_format=Answer) as stream:
        events = list(stream)
        check(stream.get_final_completion())
    deltas = [e for e in events if e.type == "content.delta"]
    assert len(deltas) > 1, "the answer came in one piece"
    assert deltas[-1].parsed
    assert [e.type for e in events].count("content.done") == 1


async def test_parse_streamed_async(aclient):
    async with aclient.chat.completions.stream(model=MODELS[0], messages=user("solve it"), response_format=Answer) as stream:
        async for _ in stream:
            pass
        check(await stream.get_final_completion())


@pytest.mark.parametrize(("model", "text"), [(NATIVE, "solve it"), (THINKING, "call json_tool_call")])
def test_parse_while_thinking(client, model, text):
    """Thinking forbids a forced call: a model that needs the tool is asked to call it."""
    answer = client.chat.completions.parse(
        model=model, messages=user(text), response_format=Answer, reasoning_effort="low"
    )
    check(answer)
    assert answer.choices[0].message.reasoning_content


@pytest.mark.parametrize("model", [MODELS[0], NATIVE])
def test_parsed_tools(client, model):
    """pydantic tools are strict; their arguments are parsed, too."""
    answer = client.chat.completions.parse(
        model=model, messages=user('call Weather {"city":"Oslo","unit":"high"}'), tools=[openai.pydantic_function_tool(Weather)]
    )
    [call] = answer.choices[0].message.tool_calls
    assert call.function.parsed_arguments == Weather(city="Oslo", unit=Level.HIGH)


def test_tools_beside_a_structured_answer(client):
    """The tools can be called all the same; without a call the answer is JSON."""
    request = {"model": NATIVE, "response_format": Answer, "tools": [openai.pydantic_function_tool(Weather)]}
    called = client.chat.completions.parse(messages=user('call Weather {"city":"Oslo","unit":"low"}'), **request)
    assert called.choices[0].finish_reason == "tool_calls"
    assert called.choices[0].message.parsed is None
    check(client.chat.completions.parse(messages=user("solve it"), **request))


def test_an_answer_that_is_cut_is_told(client):
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=NATIVE, messages=user("solve it"), response_format=Answer, max_tokens=3)
