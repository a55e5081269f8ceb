// The Anthropic client for Node.js against a running Outcrop: node --test anthropic.mjs, with
// OUTCROP_URL, OUTCROP_KEY, OUTCROP_MODEL, OUTCROP_PDF (in base64) and OUTCROP_THINKS (empty for no) set.
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.env.OUTCROP_URL, apiKey: process.env.OUTCROP_KEY, maxRetries: 0, timeout: 30_000 });
const model = process.env.OUTCROP_MODEL;
const say = (content) => [{ role: "user", content }];
const tool = (name, property) => ({
  name,
  description: `${name} of a place`,
  input_schema: { type: "object", properties: { [property]: { type: "string" } }, required: [property] },
});
const tools = [tool("get_weather", "city"), tool("get_time", "zone")];
const both = 'call get_weather {"city":"Bergen"}, get_time {"zone":"CET"}';
const textOf = (message) => message.content.filter((b) => b.type === "text").map((b) => b.text).join("");
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

test(`create, ${model}`, async () => {
  const message = await client.messages.create({ model, max_tokens: 100, messages: say("hello") });
  assert.equal(textOf(message), "You said: hello");
  assert.equal(message.model, model);
  assert.equal(message.stop_reason, "end_turn");
  assert.ok(message.usage.input_tokens > 0);
  assert.ok(message._request_id);
});

test(`stream, ${model}`, async () => {
  const whole = await client.messages.create({ model, max_tokens: 500, messages: say("[[words:60]]") });
  let text = "";
  const stream = client.messages.stream({ model, max_tokens: 500, messages: say("[[words:60]]") }).on("text", (t) => (text += t));
  const final = await stream.finalMessage();
  assert.equal(text, textOf(whole));
  assert.equal(textOf(final), text);
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
});

for (const streamed of [false, true]) {
  test(`tool loop, streamed ${streamed}, ${model}`, async () => {
    const messages = say(both);
    let message;
    for (let turn = 0; turn < 3; turn++) {
      const request = { model, max_tokens: 500, messages, tools };
      message = streamed ? await client.messages.stream(request).finalMessage() : await client.messages.create(request);
      messages.push({ role: "assistant", content: message.content });
      if (message.stop_reason !== "tool_use") break;
      const results = message.content
        .filter((b) => b.type === "tool_use")
        .map((b) => ({ type: "tool_result", tool_use_id: b.id, content: JSON.stringify(b.input) }));
      assert.equal(results.length, 2);
      messages.push({ role: "user", content: results });
    }
    assert.match(textOf(message), /Bergen/);
    assert.match(textOf(message), /CET/);
  });
}

test(`errors, ${model}`, async () => {
  await assert.rejects(client.messages.create({ model, max_tokens: 9, messages: say("[[fault:throttle]]") }), Anthropic.RateLimitError);
  await assert.rejects(client.messages.create({ model, max_tokens: 9, messages: say("[[fault:validation]]") }), Anthropic.BadRequestError);
  await assert.rejects(client.messages.create({ model: "nope", max_tokens: 9, messages: say("hi") }), Anthropic.NotFoundError);
  await assert.rejects(async () => {
    const long = "[[fault:stream-throttle;after=1500]] " + "x".repeat(40_000);
    for await (const _ of await client.messages.create({ model, max_tokens: 50_000, messages: say(long), stream: true }));
  }, Anthropic.APIError);
});

test(`count_tokens, ${model}`, async () => {
  const count = await client.messages.countTokens({ model, messages: say("hello"), tools });
  const message = await client.messages.create({ model, max_tokens: 50, messages: say("hello"), tools });
  assert.equal(count.input_tokens, message.usage.input_tokens);
});

if (process.env.OUTCROP_THINKS) {
  test(`thinking with tools over turns, ${model}`, async () => {
    const messages = say('call get_weather {"city":"Bergen"}');
    for (let turn = 0; turn < 3; turn++) {
      const message = await client.messages
        .stream({ model, max_tokens: 3000, messages, tools, thinking: { type: "enabled", budget_tokens: 1024 } })
        .finalMessage();
      assert.equal(message.content[0].type, "thinking");
      assert.ok(message.content[0].signature);
      messages.push({ role: "assistant", content: message.content });
      const results = message.content.filter((b) => b.type === "tool_use").map((b) => ({ type: "tool_result", tool_use_id: b.id, content: "rain" }));
      messages.push({ role: "user", content: results.length ? results : "and?" });
    }
  });
}

test(`vision, ${model}`, async () => {
  const source = { type: "base64", media_type: "image/png", data: png };
  const message = await client.messages.create({ model, max_tokens: 100, messages: say([{ type: "image", source }, { type: "text", text: "look" }]) });
  assert.match(textOf(message), /image\/png/);
});

test(`PDF, ${model}`, async () => {
  const source = { type: "base64", media_type: "application/pdf", data: process.env.OUTCROP_PDF };
  const document = { type: "document", source, title: "report.pdf" };
  const message = await client.messages.create({ model, max_tokens: 100, messages: say([document, { type: "text", text: "read" }]) });
  assert.match(textOf(message), /pdf/);
});

test("the client's own retries", async () => {
  const seen = [];
  const retrying = new Anthropic({
    baseURL: process.env.OUTCROP_URL, apiKey: process.env.OUTCROP_KEY, maxRetries: 1,
    fetch: async (...a) => { const r = await fetch(...a); seen.push(r.status); return r; },
  });
  await assert.rejects(retrying.messages.create({ model: "claude", max_tokens: 9, messages: say("[[fault:unavailable]]") }));
  assert.deepEqual(seen, [529, 529]);
});
