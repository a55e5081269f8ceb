// Embeddings and images through the OpenAI client for Node.js. Run as chat.mjs.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: `${process.env.OUTCROP_URL}/v1`, apiKey: process.env.OUTCROP_KEY, maxRetries: 0, timeout: 60_000 });
const canvas = "bedrock/amazon.nova-canvas-v1:0";

const sizeOf = (base64) => {
  const png = Buffer.from(base64, "base64");
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  return [png.readUInt32BE(16), png.readUInt32BE(20)];
};

test("embeddings, which the client asks for in base64", async () => {
  const input = ["the rain in Oslo", "the rain in Bergen"];
  const model = "bedrock/amazon.titan-embed-text-v2:0";
  const answer = await client.embeddings.create({ model, input, dimensions: 256 });
  const plain = await client.embeddings.create({ model, input, dimensions: 256, encoding_format: "float" });
  assert.equal(answer.data.length, 2);
  for (const [i, { embedding }] of answer.data.entries()) {
    assert.equal(embedding.length, 256);
    assert.ok(embedding.every((x, j) => Math.abs(x - plain.data[i].embedding[j]) < 1e-6));
  }
});

test("images", async () => {
  const answer = await client.images.generate({ model: canvas, prompt: "otter", n: 2, size: "640x320" });
  assert.deepEqual(answer.data.map((d) => sizeOf(d.b64_json)), [[640, 320], [640, 320]]);
});

test("image edit", async () => {
  const made = await client.images.generate({ model: canvas, prompt: "otter", size: "320x320" });
  const image = await toFile(Buffer.from(made.data[0].b64_json, "base64"), "otter.png", { type: "image/png" });
  const answer = await client.images.edit({ model: canvas, image, prompt: "a hat" });
  assert.deepEqual(sizeOf(answer.data[0].b64_json), [1024, 1024]);
});

test("a refused image is an error", async () => {
  await assert.rejects(client.images.generate({ model: canvas, prompt: "x [filter:all]" }), (e) => {
    assert.ok(e instanceof OpenAI.BadRequestError);
    assert.equal(e.code, "content_policy_violation");
    return true;
  });
});
