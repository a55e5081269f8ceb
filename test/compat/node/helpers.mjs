// The helpers of the OpenAI client for Node.js: tool loops, zod parsing, the streaming helper. Run as chat.mjs.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ baseURL: `${process.env.OUTCROP_URL}/v1`, apiKey: process.env.OUTCROP_KEY, maxRetries: 0, timeout: 30_000 });
const native = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"; // holds its answer to a schema by itself
const thinking = "us.anthropic.claude-3-7-sonnet-20250219-v1:0";
const say = (content) => [{ role: "user", content }];

const Weather = z.object({ city: z.string() });
const Time = z.object({ zone: z.string() });
const Answer = z.object({
  steps: z.array(z.object({ explanation: z.string(), output: z.number() })),
  certainty: z.enum(["low", "high"]),
  final: z.string(),
  remark: z.string().nullable(),
});

const runnable = (seen) => [
  zodFunction({
    name: "get_weather",
    parameters: Weather,
    function: ({ city }) => (seen.push(`weather ${city}`), `rain in ${city}`),
  }),
  zodFunction({
    name: "get_time",
    parameters: Time,
    function: ({ zone }) => (seen.push(`time ${zone}`), `noon in ${zone}`),
  }),
];
const both = 'call get_weather {"city":"Bergen"}, get_time {"zone":"CET"}';

for (const model of ["claude", "nova", "llama", native]) {
  test(`runTools, ${model}`, async () => {
    const seen = [];
    const runner = client.chat.completions.runTools({ model, messages: say(both), tools: runnable(seen) });
    const final = await runner.finalContent();
    assert.deepEqual(seen.sort(), ["time CET", "weather Bergen"]);
    assert.match(final, /rain in Bergen/);
    assert.match(final, /noon in CET/);
    assert.deepEqual(runner.messages.map((m) => m.role), ["user", "assistant", "tool", "tool", "assistant"]);
    assert.ok((await runner.totalUsage()).total_tokens > 0);
  });

  test(`runTools as a stream, ${model}`, async () => {
    const seen = [];
    let text = "";
    const runner = client.chat.completions
      .runTools({ model, messages: say(both), tools: runnable(seen), stream: true })
      .on("content", (delta) => (text += delta));
    const final = await runner.finalContent();
    assert.deepEqual(seen.sort(), ["time CET", "weather Bergen"]);
    assert.match(final, /rain in Bergen/);
    assert.ok(text.endsWith(final));
  });
}

const check = (answer) => {
  assert.equal(answer.choices[0].finish_reason, "stop");
  const { parsed } = answer.choices[0].message;
  assert.ok(parsed.steps.length >= 1);
  assert.equal(typeof parsed.steps[0].output, "number");
  assert.ok(["low", "high"].includes(parsed.certainty));
};

for (const model of ["claude", "nova", native, thinking]) {
  test(`zod parse, ${model}`, async () => {
    check(await client.chat.completions.parse({ model, messages: say("solve it"), response_format: zodResponseFormat(Answer, "answer") }));
  });

  test(`zod parse of a stream, ${model}`, async () => {
    const stream = client.chat.completions.stream({ model, messages: say("solve it"), response_format: zodResponseFormat(Answer, "answer") });
    let deltas = 0;
    stream.on("content.delta", () => deltas++);
    check(await stream.finalChatCompletion());
    assert.ok(deltas > 1, "the answer came in one piece");
  });
}

test("zod tools are parsed", async () => {
  const answer = await client.chat.completions.parse({
    model: native,
    messages: say('call get_weather {"city":"Oslo"}'),
    tools: [zodFunction({ name: "get_weather", parameters: Weather })],
  });
  assert.deepEqual(answer.choices[0].message.tool_calls[0].function.parsed_arguments, { city: "Oslo" });
});

test("the streaming helper puts all together", async () => {
  const stream = client.chat.completions.stream({
    model: thinking,
    messages: say("[[words:30]]"),
    reasoning_effort: "low",
    stream_options: { include_usage: true },
  });
  let thoughts = "";
  let text = "";
  stream.on("chunk", (chunk) => (thoughts += chunk.choices[0]?.delta.reasoning_content ?? ""));
  stream.on("content", (delta) => (text += delta));
  const answer = await stream.finalChatCompletion();
  assert.equal(answer.choices[0].message.content, text);
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.match(thoughts, /words:30/);
  assert.ok((await stream.totalUsage()).completion_tokens > 0);
});

test("a stream can be left and its error is told", async () => {
  const stream = client.chat.completions.stream({ model: "claude", messages: say("[[fault:stall-stream]]") });
  stream.on("content", () => stream.abort());
  await assert.rejects(stream.done(), OpenAI.APIUserAbortError);
  const late = `[[fault:stream-throttle;after=1500]] ${"x".repeat(40_000)}`;
  await assert.rejects(client.chat.completions.stream({ model: "claude", messages: say(late) }).done(), OpenAI.APIError);
});

test("images and documents", async () => {
  const pdf = Buffer.from("%PDF-1.4\n%%EOF").toString("base64");
  const answer = await client.chat.completions.create({
    model: "claude",
    messages: say([
      { type: "text", text: "read" },
      { type: "file", file: { filename: "a.pdf", file_data: `data:application/pdf;base64,${pdf}` } },
    ]),
  });
  assert.match(answer.choices[0].message.content, /document\/pdf "a" \(14 bytes\)/);
  const secret = say([{ type: "image_url", image_url: { url: "http://169.254.169.254/latest/" } }]);
  await assert.rejects(client.chat.completions.create({ model: "claude", messages: secret }), (e) => {
    assert.ok(e instanceof OpenAI.BadRequestError);
    assert.equal(e.param, "messages[0].content[0]");
    return true;
  });
});
