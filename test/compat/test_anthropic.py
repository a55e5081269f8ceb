"""The Anthropic client for Python, on Claude in its own words, through Converse, and on models of others."""

import asyncio
import base64
import json

import anthropic
import httpx2
import pytest

from matrix import Route
from samples import late, pdf, png

OWN = Route("Claude, InvokeModel", "claude")
CONVERSE = Route("Claude, Converse", "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0")
NOVA = Route("Nova 2, Converse", "bedrock/us.amazon.nova-2-lite-v1:0")
GPT = Route("gpt-oss, InvokeModel", "bedrock/invoke/openai.gpt-oss-120b-1:0")
CLAUDE, ALL = [OWN, CONVERSE], [OWN, CONVERSE, NOVA, GPT]
routes = pytest.mark.parametrize("route", ALL, ids=str)


def on(routes_: list[Route]):
    return pytest.mark.parametrize("route", routes_, ids=str)


def cell(feature: str):
    return pytest.mark.matrix(client="anthropic (Python)", dialect="Messages", feature=feature)


@pytest.fixture
def client(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


@pytest.fixture
async def aclient(gateway):
    async with anthropic.AsyncAnthropic(base_url=gateway.url + "/anthropic", auth_token=gateway.key, max_retries=0, timeout=30) as c:
        yield c


def user(content) -> list[dict]:
    return [{"role": "user", "content": content}]


def tool(name: str, **properties: str) -> dict:
    schema = {"type": "object", "properties": {k: {"type": v} for k, v in properties.items()}, "required": list(properties)}
    return {"name": name, "description": f"{name} of a place", "input_schema": schema}


TOOLS = [tool("get_weather", city="string"), tool("get_time", zone="string")]
BOTH = 'call get_weather {"city":"Bergen"}, get_time {"zone":"CET"}'


def run(block) -> dict:
    said = {"get_weather": lambda i: f"rain in {i['city']}", "get_time": lambda i: f"noon in {i['zone']}"}[block.name](block.input)
    return {"type": "tool_result", "tool_use_id": block.id, "content": said}


def text_of(message) -> str:
    return "".join(b.text for b in message.content if b.type == "text")


@cell("create")
@routes
def test_create(client, gateway, call_id, route):
    message = client.messages.create(
        model=route.model, max_tokens=100, system="Be brief.", messages=user("Hello!"), metadata={"user_id": "ann"},
        extra_body={"temperature": 0.5}, extra_headers={"x-litellm-call-id": call_id},
    )
    assert text_of(message) == "You said: Hello!"
    assert message.model == route.model and message.role == "assistant" and message.id.startswith("msg_")
    assert message.stop_reason == "end_turn" and message.stop_sequence is None
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    assert message._request_id == call_id
    row = gateway.spend(call_id)
    assert row["call_type"] == "anthropic_messages" and row["spend"] > 0 and row["end_user"] == "ann"
    assert row["prompt_tokens"] == message.usage.input_tokens and row["completion_tokens"] == message.usage.output_tokens


@cell("create")
@routes
async def test_create_async(aclient, route):
    messages = await asyncio.gather(*[aclient.messages.create(model=route.model, max_tokens=100, messages=user(f"Hello {i}!")) for i in range(8)])
    assert [text_of(m) for m in messages] == [f"You said: Hello {i}!" for i in range(8)]


@cell("stream")
@routes
def test_stream(client, route):
    whole = client.messages.create(model=route.model, max_tokens=500, messages=user("[[words:60]]"))
    pieces = []
    with client.messages.stream(model=route.model, max_tokens=500, messages=user("[[words:60]]")) as stream:
        for piece in stream.text_stream:
            pieces.append(piece)
        final = stream.get_final_message()
    assert len(pieces) > 3 and "".join(pieces) == text_of(whole) == text_of(final)
    assert final.usage.output_tokens == whole.usage.output_tokens and final.usage.input_tokens == whole.usage.input_tokens
    assert final.stop_reason == "end_turn" and final.model == route.model


@cell("stream")
@routes
async def test_raw_stream_async(aclient, route):
    stream = await aclient.messages.create(model=route.model, max_tokens=100, messages=user("Hello!"), stream=True)
    kinds = [event.type async for event in stream]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") >= 1


@cell("tools, parallel")
@routes
@pytest.mark.parametrize("streamed", [False, True])
def test_tool_loop(client, route, streamed):
    messages = user(BOTH)
    for _ in range(4):
        request = {"model": route.model, "max_tokens": 500, "messages": messages, "tools": TOOLS}
        if streamed:
            with client.messages.stream(**request) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(**request)
        messages = [*messages, {"role": "assistant", "content": message.content}]
        if message.stop_reason != "tool_use":
            break
        calls = [b for b in message.content if b.type == "tool_use"]
        assert [c.name for c in calls] == ["get_weather", "get_time"] and len({c.id for c in calls}) == 2
        messages = [*messages, *user([run(c) for c in calls])]
    assert "rain in Bergen" in text_of(message) and "noon in CET" in text_of(message)
    assert [m["role"] for m in messages] == ["user", "assistant", "user", "assistant"]


@cell("tool choice")
@routes
def test_tool_choice(client, route):
    choice = {"type": "any"} if route is GPT else {"type": "tool", "name": "get_time"}
    message = client.messages.create(model=route.model, max_tokens=300, messages=user("now"), tools=TOOLS[1:], tool_choice=choice)
    [call] = [b for b in message.content if b.type == "tool_use"]
    assert call.name == "get_time" and message.stop_reason == "tool_use"


@cell("history of tools without tools")
@routes
def test_history_without_tools(client, route):
    history = [
        *user("go"), {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {"zone": "CET"}}]},
        *user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "noon"}, {"type": "text", "text": "and now?"}]),
    ]
    assert "and now?" in text_of(client.messages.create(model=route.model, max_tokens=300, messages=history))


@cell("thinking with tools, over turns")
@on([OWN, CONVERSE])
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_with_tools(client, route, streamed):
    """Signatures go back byte for byte: the simulator refuses others as Claude does."""
    messages = user('call get_weather {"city":"Bergen"}')
    kinds = []
    for turn in range(4):
        request = {
            "model": route.model, "max_tokens": 3000, "messages": messages, "tools": TOOLS, "thinking": {"type": "enabled", "budget_tokens": 1024},
            "extra_headers": {"anthropic-beta": "interleaved-thinking-2025-05-14"},
        }
        if streamed:
            with client.messages.stream(**request) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(**request)
        kinds.append([b.type for b in message.content])
        assert message.content[0].type == "thinking" and message.content[0].signature
        messages = [*messages, {"role": "assistant", "content": message.content}]
        calls = [b for b in message.content if b.type == "tool_use"]
        messages += user([run(c) for c in calls]) if calls else user('call get_time {"zone":"CET"}' if turn == 1 else "bye")
    assert kinds[0][-1] == "tool_use" and kinds[1] == ["thinking", "text"] and kinds[2][-1] == "tool_use"


@cell("thinking")
@on([NOVA, GPT])
def test_thinking_elsewhere(client, route):
    """Others think in their own way; the budget is said in levels."""
    message = client.messages.create(model=route.model, max_tokens=6000, messages=user("why?"), thinking={"type": "enabled", "budget_tokens": 2048})
    assert [b.type for b in message.content] == ["thinking", "text"]


@cell("thinking, redacted")
@on(CLAUDE)
def test_redacted_thinking_goes_back(client, route):
    history = [
        *user("go"),
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": base64.b64encode(b"sealed").decode()}, {"type": "text", "text": "gone"}]},
        *user("and?"),
    ]
    assert text_of(client.messages.create(model=route.model, max_tokens=300, messages=history)) == "You said: and?"


@cell("vision")
@on([OWN, CONVERSE, NOVA])
def test_vision(client, route):
    source = {"type": "base64", "media_type": "image/jpeg", "data": base64.b64encode(png()).decode()}  # a wrong label
    message = client.messages.create(model=route.model, max_tokens=100, messages=user([{"type": "image", "source": source}, {"type": "text", "text": "look"}]))
    assert "image/png" in text_of(message)


@cell("PDF")
@on([OWN, CONVERSE, NOVA])
def test_pdf(client, route):
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(pdf()).decode()}
    document = {"type": "document", "source": source, "title": "report.pdf"}
    message = client.messages.create(model=route.model, max_tokens=100, messages=user([document, {"type": "text", "text": "read"}]))
    assert "pdf" in text_of(message)


@cell("text documents")
@on([OWN, CONVERSE, NOVA])
def test_text_document(client, route):
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "All happy families"}, "citations": {"enabled": True}}
    assert text_of(client.messages.create(model=route.model, max_tokens=100, messages=user([document, {"type": "text", "text": "read"}])))


@cell("prompt caching")
@on(CLAUDE)
def test_prompt_caching(client, call_id, route):
    system = [{"type": "text", "text": f"{route.model} {call_id} " * 300, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    first = client.messages.create(model=route.model, max_tokens=50, system=system, messages=user("a"))
    with client.messages.stream(model=route.model, max_tokens=50, system=system, messages=user("b")) as stream:
        second = stream.get_final_message()
    assert first.usage.cache_creation_input_tokens > 0 and first.usage.cache_creation.ephemeral_1h_input_tokens == first.usage.cache_creation_input_tokens
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens


@cell("stop sequences")
@on([OWN, CONVERSE, NOVA])
def test_stop_sequence(client, route):
    message = client.messages.create(model=route.model, max_tokens=50, stop_sequences=["STOP"], messages=user("one STOP two"))
    assert "two" not in text_of(message)
    assert message.stop_reason == "stop_sequence" and message.stop_sequence == "STOP"


@cell("max_tokens")
@routes
def test_max_tokens(client, route):
    message = client.messages.create(model=route.model, max_tokens=20, messages=user("[[words:500]]"))
    assert message.stop_reason == "max_tokens"


@cell("structured output")
@on(CLAUDE)
def test_structured_output(client, route):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
    message = client.messages.create(model=route.model, max_tokens=200, messages=user("who?"), output_config={"format": {"type": "json_schema", "schema": schema}})
    assert "name" in json.loads(text_of(message))


@cell("count_tokens")
@routes
def test_count_tokens(client, route):
    count = client.messages.count_tokens(model=route.model, messages=user("Hello!"), system="Be brief.", tools=TOOLS)
    used = client.messages.create(model=route.model, max_tokens=50, messages=user("Hello!"), system="Be brief.", tools=TOOLS).usage.input_tokens
    assert used <= count.input_tokens <= used + (0 if route in CLAUDE else 30)  # the body of an open model is counted as Converse has it


@cell("count_tokens")
@on([OWN])
async def test_count_tokens_estimated(aclient, route):
    """A model that is only called through profiles is not counted by AWS: the answer is too high, and says so."""
    raw = await aclient.messages.with_raw_response.count_tokens(model="bedrock/us.anthropic.claude-mythos-5", messages=user("Hello! " * 50))
    assert raw.headers["x-outcrop-estimated"] == "true"
    count = await raw.parse()
    assert count.input_tokens > 88


FAULTS = {
    "validation": (anthropic.BadRequestError, "invalid_request_error"), "access-denied": (anthropic.PermissionDeniedError, "permission_error"),
    "not-found": (anthropic.NotFoundError, "not_found_error"), "throttle": (anthropic.RateLimitError, "rate_limit_error"),
    "internal": (anthropic.InternalServerError, "api_error"), "unavailable": (anthropic.InternalServerError, "overloaded_error"),
}


@cell("errors")
@routes
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors(client, route, fault, streamed):
    expected, kind = FAULTS[fault]
    with pytest.raises(expected) as e:
        client.messages.create(model=route.model, max_tokens=50, messages=user(f"[[fault:{fault}]]"), stream=streamed)
    assert e.value.body["error"]["type"] == kind and e.value.body["type"] == "error"
    assert e.value.request_id and e.value.body["request_id"] == e.value.request_id


@cell("errors")
@routes
def test_an_error_in_mid_stream(client, route):
    with pytest.raises(anthropic.APIStatusError) as e:
        with client.messages.stream(model=route.model, max_tokens=50_000, messages=late("stream-throttle")) as stream:
            for _ in stream:
                pass
    assert "rate_limit_error" in str(e.value.body)


def test_a_wrong_key(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key="sk-wrong", max_retries=0) as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model="claude", max_tokens=5, messages=user("hi"))


@cell("the client's own retries")
@routes
def test_retries(gateway, route):
    """The client tries again after 429, 5xx and 529, and not after 400."""
    seen = []

    def record(response: httpx2.Response):
        seen.append(response.status_code)

    http = httpx2.Client(event_hooks={"response": [record]})
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=1, http_client=http) as client:
        for fault, statuses in {"throttle;retry-after=0": [429, 429], "unavailable": [529, 529], "validation": [400]}.items():
            seen.clear()
            with pytest.raises(anthropic.APIStatusError):
                client.messages.create(model=route.model, max_tokens=5, messages=user(f"[[fault:{fault}]]"))
            assert seen == statuses, fault


@cell("server tools are refused clearly")
@routes
def test_server_tools(client, route):
    request = {"model": route.model, "max_tokens": 50, "messages": user("find"), "tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}
    with pytest.raises(anthropic.BadRequestError, match="web fetch .* runs on Anthropic's own servers"):
        client.messages.create(**request)
    raw = client.messages.with_raw_response.create(**request, extra_body={"drop_params": True})
    assert "tools[0];why=unsupported" in raw.headers["x-outcrop-loss"]


def test_models(client):
    ids = [m.id for m in client.models.list()]
    assert "claude" in ids and "nova" in ids
    assert client.models.retrieve("claude").display_name == "claude"


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "claude-haiku-4-5-20251001", "claude-3-5-haiku-latest", "haiku"])
def test_names_of_anthropics_own_api(client, name):
    assert client.messages.create(model=name, max_tokens=20, messages=user("hi")).model == name


# What stands around a member of the client's own types, and a value that it may have.
AROUND = {
    "TextBlockParam": {"type": "text", "text": "a"},
    "ImageBlockParam": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}},
    "DocumentBlockParam": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
    "SearchResultBlockParam": {"type": "search_result", "source": "https://x", "title": "t", "content": [{"type": "text", "text": "a"}]},
    "CacheControlEphemeralParam": {"type": "ephemeral"},
    "ToolParam": {"name": "f", "input_schema": {"type": "object"}},
    "ToolUseBlockParam": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
    "ToolResultBlockParam": {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a"},
    "ThinkingBlockParam": {"type": "thinking", "thinking": "a", "signature": "c2ln"},
    "RedactedThinkingBlockParam": {"type": "redacted_thinking", "data": "cmVk"},
    "UserMessageParam": {"role": "user", "content": "a"},
    "MessageCreateParamsBase": {},
}


def members() -> list[tuple[str, str]]:
    """Every member of the request types of the installed client that this gateway reads."""
    beta = anthropic.types.beta.message_create_params.MessageCreateParamsBase
    types = [getattr(anthropic.types, name, beta) for name in AROUND]
    found = {(kind, member) for kind, t in zip(AROUND, types, strict=True) for member in t.__annotations__}
    return sorted(found | {("MessageCreateParamsBase", m) for m in anthropic.types.message_create_params.MessageCreateParamsBase.__annotations__})


@pytest.mark.parametrize(("kind", "member"), members())
def test_every_member_of_the_client_is_known(gateway, kind, member):
    """A new version of the client brings new members: the gateway's table of fields must say what becomes of each."""
    values = {"cache_control": {"type": "ephemeral"}, "citations": {"enabled": True}, "type": "ephemeral", "metadata": {}, "input_examples": [{}]}
    thing = AROUND[kind] | ({} if member in AROUND[kind] else {member: values.get(member, "x")})
    body = {"model": "claude", "max_tokens": 50, "messages": user("hi")}
    if kind == "MessageCreateParamsBase":
        body = thing | body
    elif kind == "CacheControlEphemeralParam":
        body["system"] = [{"type": "text", "text": "a", "cache_control": thing}]
    elif kind == "ToolParam":
        body["tools"] = [thing]
    elif kind == "UserMessageParam":
        body["messages"] = [thing]
    elif kind in ("ToolUseBlockParam", "ToolResultBlockParam", "ThinkingBlockParam", "RedactedThinkingBlockParam"):
        before = {"ThinkingBlockParam": [thing], "RedactedThinkingBlockParam": [thing]}.get(kind, [])
        use = thing if kind == "ToolUseBlockParam" else AROUND["ToolUseBlockParam"]
        result = thing if kind == "ToolResultBlockParam" else AROUND["ToolResultBlockParam"]
        body |= {"tools": [AROUND["ToolParam"]], "messages": [*user("a"), {"role": "assistant", "content": [*before, use]}, *user([result])]}
    else:
        body["messages"] = user([thing, {"type": "text", "text": "b"}])
    answer = httpx2.post(gateway.url + "/v1/messages", json=body, headers={"x-api-key": gateway.key, "anthropic-version": "2023-06-01"}, timeout=30)
    assert "why=unknown" not in answer.headers.get("x-outcrop-loss", "")
    if answer.status_code != 200:
        assert answer.status_code == 400 and member in answer.json()["error"]["message"], answer.text
        assert "Extra inputs are not permitted" not in answer.text
