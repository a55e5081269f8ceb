// The OpenAI client for Node.js against a running Outcrop: node --test chat.mjs, with OUTCROP_URL and OUTCROP_KEY set.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const baseURL = `${process.env.OUTCROP_URL}/v1`;
const model = "claude";
const client = new OpenAI({ baseURL, apiKey: process.env.OUTCROP_KEY, maxRetries: 0, timeout: 30_000 });

const say = (content) => [{ role: "user", content }];
const create = (body, options) => client.chat.completions.create({ model, ...body }, options);

const tool = (name, property) => ({
  type: "function",
  function: {
    name,
    parameters: { type: "object", properties: { [property]: { type: "string" } }, required: [property] },
  },
});
const tools = [tool("get_weather", "city"), tool("get_time", "zone")];

// A red point, 1 × 1.
const png =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

async function textOf(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

test("chat", async () => {
  const answer = await create({ messages: say("hello") });
  assert.equal(answer.model, model);
  assert.equal(answer.choices[0].message.content, "You said: hello");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("stream", async () => {
  const whole = await create({ messages: say("[[words:40]]") });
  const text = await textOf(await create({ messages: say("[[words:40]]"), stream: true }));
  assert.equal(text, whole.choices[0].message.content);
});

test("stream with usage", async () => {
  const chunks = [];
  const stream = await create({ messages: say("hello"), stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) chunks.push(chunk);
  const last = chunks.pop();
  assert.deepEqual(last.choices, []);
  assert.ok(last.usage.total_tokens > 0);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
});

test("text comes back as it was", async () => {
  const text = 'quotes " and \\ lines\n é 漢字 🪨';
  assert.equal(await textOf(await create({ messages: say(text), stream: true })), `You said: ${text}`);
});

test("tool round trip", async () => {
  const messages = say('call get_weather {"city":"Oslo"}');
  const first = await create({ messages, tools });
  const [call] = first.choices[0].message.tool_calls;
  assert.equal(first.choices[0].finish_reason, "tool_calls");
  assert.deepEqual(JSON.parse(call.function.arguments), { city: "Oslo" });
  messages.push(first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "rain" });
  const second = await create({ messages, tools });
  assert.equal(second.choices[0].message.content, "The tool said: rain");
});

test("the client's own tool runner takes parallel calls from a stream", async () => {
  const asked = [];
  const run = (name) => ({
    type: "function",
    function: {
      ...tools.find((t) => t.function.name === name).function,
      parse: JSON.parse,
      function: (input) => {
        asked.push([name, Object.keys(input)]);
        return `${name} done`;
      },
    },
  });
  const runner = client.chat.completions.runTools({
    model,
    stream: true,
    messages: say("call get_weather and get_time"),
    tools: [run("get_weather"), run("get_time")],
  });
  const text = await runner.finalContent();
  assert.deepEqual(asked.sort(), [["get_time", ["zone"]], ["get_weather", ["city"]]]);
  assert.match(text, /get_weather done/);
  assert.match(text, /get_time done/);
});

test("forced tool", async () => {
  const tool_choice = { type: "function", function: { name: "get_time" } };
  const answer = await create({ messages: say("hello"), tools, tool_choice });
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, "get_time");
});

test("image", async () => {
  const url = `data:image/png;base64,${png}`;
  const answer = await create({ messages: say([{ type: "text", text: "look" }, { type: "image_url", image_url: { url } }]) });
  assert.match(answer.choices[0].message.content, /image\/png \(\d+ bytes\)/);
});

test("length limit and stop", async () => {
  const long = await create({ messages: say("[[words:100]]"), max_completion_tokens: 5 });
  assert.equal(long.choices[0].finish_reason, "length");
  const stopped = await create({ messages: say("[[say:before END after]]"), stop: ["END"] });
  assert.equal(stopped.choices[0].finish_reason, "stop");
  assert.doesNotMatch(stopped.choices[0].message.content, /after/);
});

test("errors", async () => {
  const wrong = new OpenAI({ baseURL, apiKey: "sk-wrong", maxRetries: 0 });
  await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(create({ messages: say("x"), model: "claud" }), (e) => {
    assert.ok(e instanceof OpenAI.NotFoundError);
    assert.equal(e.code, "model_not_found");
    assert.match(e.message, /claude/);
    return true;
  });
  await assert.rejects(create({ messages: say("x"), temperature: 9 }), (e) => {
    assert.ok(e instanceof OpenAI.BadRequestError);
    assert.equal(e.param, "temperature");
    assert.ok(e.code);
    return true;
  });
  await assert.rejects(create({ messages: say("[[fault:throttle]]") }), OpenAI.RateLimitError);
  await assert.rejects(create({ messages: say("[[fault:access-denied]]") }), OpenAI.PermissionDeniedError);
});

test("error in a stream", async () => {
  const late = `[[fault:stream-throttle;after=1500]] ${"x".repeat(40_000)}`;
  const stream = await create({ messages: say(late), stream: true });
  await assert.rejects(textOf(stream), OpenAI.APIError);
});

test("abort in the middle of a stream", async () => {
  const controller = new AbortController();
  const stream = await create({ messages: say("[[fault:stall-stream]]"), stream: true }, { signal: controller.signal });
  let seen = 0;
  for await (const chunk of stream) {
    if (!chunk.choices[0].delta.content) continue;
    seen++;
    controller.abort();
  }
  assert.ok(seen >= 1);
  const answer = await create({ messages: say("still there?") });
  assert.equal(answer.choices[0].message.content, "You said: still there?");
});

test("models and completions", async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes(model));
  const answer = await client.completions.create({ model, prompt: "hello" });
  assert.equal(answer.choices[0].text, "You said: hello");
});
