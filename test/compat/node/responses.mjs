// The Responses API through the OpenAI client for Node.js: node --test responses.mjs, with OUTCROP_URL and OUTCROP_KEY set.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const baseURL = `${process.env.OUTCROP_URL}/v1`;
const model = "claude";
const client = new OpenAI({ baseURL, apiKey: process.env.OUTCROP_KEY, maxRetries: 0, timeout: 30_000 });

const weather = {
  type: "function",
  name: "get_weather",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
  strict: false,
};

test("create", async () => {
  const answer = await client.responses.create({ model, input: "[[say:hello]]", instructions: "Be short." });
  assert.equal(answer.output_text, "hello");
  assert.equal(answer.status, "completed");
  assert.ok(answer.usage.total_tokens > 0);
});

test("stream", async () => {
  let text = "";
  let last;
  for await (const event of await client.responses.create({ model, input: "[[words:20]]", stream: true })) {
    if (event.type === "response.output_text.delta") text += event.delta;
    last = event;
  }
  assert.equal(last.type, "response.completed");
  assert.equal(last.response.output[0].content[0].text, text);
});

test("stream helper", async () => {
  const stream = client.responses.stream({ model, input: "[[words:20]]" });
  const deltas = [];
  stream.on("response.output_text.delta", (event) => deltas.push(event.delta));
  const final = await stream.finalResponse();
  assert.equal(deltas.join(""), final.output_text);
});

test("parse", async () => {
  const format = {
    type: "json_schema",
    name: "city",
    strict: true,
    schema: { type: "object", properties: { name: { type: "string" } }, required: ["name"], additionalProperties: false },
  };
  const answer = await client.responses.parse({ model, input: "about Oslo", text: { format } });
  assert.equal(typeof JSON.parse(answer.output_text).name, "string");
});

test("tool loop", async () => {
  const first = await client.responses.create({ model, tools: [weather], input: 'call get_weather {"city": "Oslo"}' });
  const [call] = first.output.filter((item) => item.type === "function_call");
  assert.deepEqual(JSON.parse(call.arguments), { city: "Oslo" });
  const second = await client.responses.create({
    model,
    tools: [weather],
    previous_response_id: first.id,
    input: [{ type: "function_call_output", call_id: call.call_id, output: "rain" }],
  });
  assert.ok(second.output_text);
});

test("kept", async () => {
  const first = await client.responses.create({ model, input: "[[say:one]]" });
  assert.equal((await client.responses.retrieve(first.id)).output_text, "one");
  assert.equal((await client.responses.inputItems.list(first.id)).data.length, 1);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
});

test("errors", async () => {
  await assert.rejects(client.responses.create({ model, input: "hi", tools: [{ type: "web_search" }] }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "tools[0]");
    return true;
  });
  await assert.rejects(client.responses.create({ model, input: "[[fault:throttle]]" }), OpenAI.RateLimitError);
});
