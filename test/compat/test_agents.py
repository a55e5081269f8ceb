"""LangChain's agents, and its three ways to a structured answer."""

import enum

import openai
import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

from samples import MODELS, NATIVE, THINKING


class Kind(enum.StrEnum):
    CITY = "city"
    VILLAGE = "village"


class Person(BaseModel):
    name: str
    age: int | None = Field(None, description="in years, if known")


class Place(BaseModel):
    """A place on the map."""

    name: str
    kind: Kind
    people: list[Person]


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


@tool
def get_time(zone: str) -> str:
    """The time in a time zone."""
    return f"noon in {zone}"


TOOLS = {t.name: t for t in (get_weather, get_time)}
BOTH = 'call get_weather {"city":"Bergen"}, get_time {"zone":"CET"}'


def chat_of(gateway, model: str, **settings) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30, **settings)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_loop_until_the_final_answer(gateway, model, streamed):
    """The loop that agents run: call tools as long as the model asks for them."""
    chat = chat_of(gateway, model, streaming=streamed).bind_tools(list(TOOLS.values()))
    messages = [HumanMessage(BOTH)]
    for _ in range(5):
        answer = chat.invoke(messages)
        messages.append(answer)
        if not answer.tool_calls:
            break
        messages += [TOOLS[call["name"]].invoke(call) for call in answer.tool_calls]
    assert [type(m) for m in messages] == [HumanMessage, AIMessage, ToolMessage, ToolMessage, AIMessage]
    assert {c["name"]: c["args"] for c in messages[1].tool_calls} == {"get_weather": {"city": "Bergen"}, "get_time": {"zone": "CET"}}
    assert "rain in Bergen" in answer.content and "noon in CET" in answer.content


@pytest.mark.parametrize("model", [*MODELS, THINKING])
def test_agent(gateway, model):
    agent = create_agent(chat_of(gateway, model), list(TOOLS.values()), system_prompt="You know the weather.")
    messages = agent.invoke({"messages": [HumanMessage(BOTH)]})["messages"]
    assert [m.type for m in messages] == ["human", "ai", "tool", "tool", "ai"]
    assert "rain in Bergen" in messages[-1].content


@pytest.fixture
async def http():
    """A client of the test's own: LangChain would keep one for all tests, and each test has an event loop of its own."""
    async with openai.DefaultAsyncHttpxClient() as client:
        yield client


async def test_agent_streams(gateway, http):
    agent = create_agent(chat_of(gateway, MODELS[0], http_async_client=http), list(TOOLS.values()))
    text, steps = "", []
    async for mode, data in agent.astream({"messages": [HumanMessage(BOTH)]}, stream_mode=["messages", "updates"]):
        if mode == "updates":
            steps += data
        elif data[1]["langgraph_node"] == "model":
            text += data[0].text
    assert steps[0] == "model" and "tools" in steps and steps[-1] == "model"
    assert "rain in Bergen" in text and "noon in CET" in text


@pytest.mark.parametrize("model", [MODELS[0], NATIVE])
@pytest.mark.parametrize("strategy", [ToolStrategy, ProviderStrategy])
def test_agent_with_a_structured_answer(gateway, model, strategy):
    """A strategy by tool adds a tool of its own; a strategy by provider sends response_format."""
    agent = create_agent(chat_of(gateway, model), [], response_format=strategy(Place))
    text = "call Place" if strategy is ToolStrategy else "a place"
    place = agent.invoke({"messages": [HumanMessage(text)]})["structured_response"]
    assert isinstance(place, Place) and isinstance(place.kind, Kind)


@pytest.mark.parametrize("model", ["claude", "nova", NATIVE])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(gateway, model, method):
    place = chat_of(gateway, model).with_structured_output(Place, method=method).invoke("a place")
    assert isinstance(place, Place) and isinstance(place.kind, Kind)


def test_structured_output_of_a_model_that_cannot_be_forced(gateway):
    """Llama has no tool choice: it is asked to call the tool, and LangChain's own forced call is refused by its name."""
    chat = chat_of(gateway, "llama")
    assert isinstance(chat.with_structured_output(Place, method="json_schema").invoke("call json_tool_call"), Place)
    with pytest.raises(openai.BadRequestError) as e:
        chat.with_structured_output(Place, method="function_calling").invoke("a place")
    assert e.value.param == "tool_choice"


def test_structured_output_by_json_mode(gateway):
    said = '{"name": "Oslo", "kind": "city", "people": [{"name": "Ann", "age": null}]}'
    chat = chat_of(gateway, MODELS[0]).with_structured_output(Place, method="json_mode", include_raw=True)
    answer = chat.invoke("as JSON please: [[say:" + said + "]]")
    assert answer["parsing_error"] is None, answer
    assert answer["parsed"] == Place(name="Oslo", kind=Kind.CITY, people=[Person(name="Ann")])


async def test_structured_output_streams(gateway, http):
    chat = chat_of(gateway, MODELS[0], http_async_client=http).with_structured_output(Place, method="json_schema")
    places = [place async for place in chat.astream("a place")]
    assert isinstance(places[-1], Place)
