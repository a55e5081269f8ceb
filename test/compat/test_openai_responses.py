"""The Responses API through the OpenAI client: whole, streamed, parsed, tools in a loop, kept conversations, errors."""

import json

import openai
import pytest
from pydantic import BaseModel

from matrix import Route
from samples import MODELS, NATIVE, THINKING, png

ROUTES = [
    Route("Claude, Converse", THINKING), Route("Claude, native Messages", f"bedrock/messages/{NATIVE}"), Route("Nova 2, Converse", "us.amazon.nova-2-lite-v1:0"),
    Route("gpt-oss, native Chat Completions", "bedrock/chat_completions/openai.gpt-oss-120b-1:0"), Route("GPT, native Responses", "openai.gpt-5.6-sol"),
    Route("DeepSeek, Mantle", "deepseek.v3.1", thinks=False),
]
WAYS = pytest.mark.parametrize("route", ROUTES, ids=str)


def cell(feature):
    return pytest.mark.matrix(client="openai (Python)", dialect="Responses", feature=feature)



class City(BaseModel):
    name: str
    people: int


WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
    "strict": False,
}


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


@pytest.mark.parametrize("model", MODELS)
def test_create(client, model):
    answer = client.responses.create(model=model, input="[[say:hello]]", instructions="Be short.", max_output_tokens=50, metadata={"a": "b"})
    assert answer.status == "completed"
    assert answer.output_text == "hello"
    assert answer.instructions == "Be short."
    assert answer.metadata == {"a": "b"}
    assert answer.model == model
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_length(client):
    answer = client.responses.create(model=MODELS[0], input="[[words:200]]", max_output_tokens=5)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize("model", MODELS)
def test_stream(client, model):
    kinds, text, last = [], "", -1
    for event in client.responses.create(model=model, input="[[words:30]]", stream=True):
        kinds.append(event.type)
        assert event.sequence_number == last + 1
        last = event.sequence_number
        if event.type == "response.output_text.delta":
            text += event.delta
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[-4:] == ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]
    assert event.response.output_text == text != ""
    assert event.response.usage.output_tokens > 0


def test_stream_helper(client):
    with client.responses.stream(model=MODELS[0], input="[[words:30]]") as stream:
        snapshot = [event.snapshot for event in stream if event.type == "response.output_text.delta"][-1]
        assert stream.get_final_response().output_text == snapshot


@pytest.mark.parametrize("model", [MODELS[0], MODELS[1], NATIVE, THINKING])
@pytest.mark.parametrize("streamed", [False, True])
def test_parse(client, model, streamed):
    if streamed:
        with client.responses.stream(model=model, input="about Oslo", text_format=City) as stream:
            answer = stream.get_final_response()
    else:
        answer = client.responses.parse(model=model, input="about Oslo", text_format=City)
    assert isinstance(answer.output_parsed, City)


def answers(calls):
    """The results of calls, each with its own."""
    return [{"type": "function_call_output", "call_id": c.call_id, "output": json.dumps({"of": json.loads(c.arguments)})} for c in calls]


@pytest.mark.parametrize("model", [*MODELS[:2], THINKING])
@pytest.mark.parametrize("kept", [False, True])
def test_tool_loop(client, model, kept):
    reasoning = {"effort": "low"} if model == THINKING else openai.omit
    common = {"model": model, "tools": [WEATHER], "reasoning": reasoning, "include": ["reasoning.encrypted_content"], "store": kept}
    items = [{"role": "user", "content": 'call get_weather {"city": "Oslo"} and get_weather {"city": "Bergen"}'}]
    first = client.responses.create(input=items, **common)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(c.arguments) for c in calls] == [{"city": "Oslo"}, {"city": "Bergen"}]
    if model == THINKING:
        assert first.output[0].type == "reasoning"
        assert first.output[0].encrypted_content
    if kept:
        second = client.responses.create(input=answers(calls), previous_response_id=first.id, **common)
        assert second.previous_response_id == first.id
    else:
        second = client.responses.create(input=[*items, *first.output, *answers(calls)], **common)
    assert second.status == "completed"
    assert second.output_text


def test_streamed_tools(client):
    tools = [WEATHER, {"type": "custom", "name": "note", "description": "takes a note"}]
    done = {}
    for event in client.responses.create(model=MODELS[0], tools=tools, input='call get_weather {"city": "Oslo"} and note {"input": "a\\nb"}', stream=True):
        if event.type in ("response.function_call_arguments.done", "response.custom_tool_call_input.done"):
            done[event.output_index] = getattr(event, "arguments", None) or event.input
    function, custom = [item for item in event.response.output if item.type != "message"]
    assert (function.type, function.name) == ("function_call", "get_weather")
    assert (custom.type, custom.name, custom.input) == ("custom_tool_call", "note", "a\nb")
    assert json.loads(done[event.response.output.index(function)]) == {"city": "Oslo"}
    assert done[event.response.output.index(custom)] == "a\nb"


def test_image(client):
    url = "data:image/png;base64," + __import__("base64").b64encode(png()).decode()
    content = [{"type": "input_text", "text": "what is this"}, {"type": "input_image", "image_url": url, "detail": "auto"}]
    answer = client.responses.create(model=MODELS[0], input=[{"role": "user", "content": content}])
    assert "image" in answer.output_text


def test_conversation_is_kept(client):
    first = client.responses.create(model=MODELS[0], input="[[say:one]]")
    second = client.responses.create(model=MODELS[0], input="[[say:two]]", previous_response_id=first.id)
    assert second.usage.input_tokens > first.usage.input_tokens
    again = client.responses.retrieve(second.id)
    assert again == second
    page = client.responses.input_items.list(second.id)
    assert [item.content[0].text for item in page.data] == ["[[say:two]]"]
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(second.id)
    client.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(second.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODELS[0], input="x", previous_response_id=second.id)
    assert refused.value.code == "previous_response_not_found"


def test_errors(client, gateway):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODELS[0], input="hi", tools=[{"type": "web_search"}])
    assert refused.value.param == "tools[0]"
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODELS[0], input="hi", background=True)
    assert refused.value.param == "background"
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="no-such-model", input="hi")
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model=MODELS[0], input="[[fault:throttle]]")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").responses.create(model=MODELS[0], input="hi")


def test_stream_that_fails(client):
    events = list(client.responses.create(model=MODELS[0], input="[[fault:cut-stream;after=1500]] " + "x" * 40_000, stream=True))
    assert [e.type for e in events[-2:]] == ["error", "response.failed"]
    assert events[-1].response.status == "failed"
    assert events[-1].response.error.code == "server_error"


def test_client_retries(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=2, timeout=30) as c:
        assert c.responses.create(model=MODELS[0], input="[[fault:throttle;times=1]] responses retried").status == "completed"


@cell("create")
@WAYS
def test_create_on_every_way(client, route):
    answer = client.responses.create(model=route.model, input="[[say:hello]]", instructions="Be short.")
    assert answer.output_text == "hello" and answer.model == route.model and answer.usage.total_tokens > 0


@cell("stream")
@WAYS
def test_stream_on_every_way(client, route):
    with client.responses.stream(model=route.model, input="[[words:30]]") as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == text != ""


@cell("tools, parallel; previous_response_id")
@WAYS
def test_tools_on_every_way(client, route):
    first = client.responses.create(model=route.model, tools=[WEATHER], input='call get_weather {"city": "Oslo"} and get_weather {"city": "Bergen"}')
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(c.arguments)["city"] for c in calls] == ["Oslo", "Bergen"]
    second = client.responses.create(model=route.model, tools=[WEATHER], input=answers(calls), previous_response_id=first.id)
    assert "Oslo" in second.output_text and "Bergen" in second.output_text


@cell("reasoning, over turns")
@pytest.mark.parametrize("route", [r for r in ROUTES if r.thinks], ids=str)
def test_reasoning_on_every_way(client, route):
    common = {"model": route.model, "reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"], "store": False}
    first = client.responses.create(input="Hello!", **common)
    assert first.output[0].type == "reasoning" and first.output[0].summary[0].text
    second = client.responses.create(input=[{"role": "user", "content": "Hello!"}, *first.output, {"role": "user", "content": "[[say:again]]"}], **common)
    assert second.output_text == "again"


@cell("errors")
@WAYS
def test_errors_on_every_way(client, route):
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model=route.model, input="[[fault:throttle]]")
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=route.model, input="hi", background=True)
