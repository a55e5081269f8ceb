// The AWS SDK for JavaScript, which speaks HTTP/2 with prior knowledge to http:// addresses of bedrock-runtime.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ApplyGuardrailCommand, BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, CountTokensCommand, InvokeModelCommand,
  InvokeModelWithResponseStreamCommand, ThrottlingException, ValidationException,
} from '@aws-sdk/client-bedrock-runtime';
import { BedrockAgentRuntimeClient, InvokeAgentCommand, InvokeFlowCommand, RerankCommand, RetrieveAndGenerateCommand, RetrieveCommand } from '@aws-sdk/client-bedrock-agent-runtime';
import { BedrockClient, ListInferenceProfilesCommand } from '@aws-sdk/client-bedrock';

const options = {
  endpoint: process.env.OUTCROP_URL + '/bedrock', region: 'us-east-1', maxAttempts: 1,
  credentials: { accessKeyId: process.env.OUTCROP_KEY, secretAccessKey: 'anything' },
};
const runtime = new BedrockRuntimeClient(options);
const agents = new BedrockAgentRuntimeClient(options);
const say = (text) => [{ role: 'user', content: [{ text }] }];

test.after(() => [runtime, agents].forEach((c) => c.destroy()));

test('converse', async () => {
  const answer = await runtime.send(new ConverseCommand({ modelId: 'claude', messages: say('Hello!') }));
  assert.equal(answer.output.message.content[0].text, 'You said: Hello!');
  assert.ok(answer.usage.outputTokens > 0 && answer.$metadata.requestId);
});

test('converse, streamed', async () => {
  const { stream } = await runtime.send(new ConverseStreamCommand({ modelId: 'claude', messages: say('Hello!') }));
  let text = '', usage;
  for await (const e of stream) {
    text += e.contentBlockDelta?.delta.text ?? '';
    usage = e.metadata?.usage ?? usage;
  }
  assert.equal(text, 'You said: Hello!');
  assert.ok(usage.outputTokens > 0);
});

test('invoke', async () => {
  const body = JSON.stringify({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] });
  const answer = await runtime.send(new InvokeModelCommand({ modelId: 'claude', body, contentType: 'application/json', accept: 'application/json' }));
  assert.equal(JSON.parse(Buffer.from(answer.body).toString()).content[0].text, 'You said: Hi');
  const streamed = await runtime.send(new InvokeModelWithResponseStreamCommand({ modelId: 'claude', body }));
  const kinds = [];
  for await (const e of streamed.body) kinds.push(JSON.parse(Buffer.from(e.chunk.bytes).toString()).type);
  assert.equal(kinds[0], 'message_start');
  assert.equal(kinds.at(-1), 'message_stop');
});

test('ids and ARNs', async () => {
  for (const modelId of ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0']) {
    const answer = await runtime.send(new ConverseCommand({ modelId, messages: say('Hello!') }));
    assert.equal(answer.stopReason, 'end_turn');
  }
  const counted = await runtime.send(new CountTokensCommand({ modelId: 'claude', input: { converse: { messages: say('Hello!') } } }));
  assert.ok(counted.inputTokens > 0);
});

test('exceptions', async () => {
  await assert.rejects(runtime.send(new ConverseCommand({ modelId: 'claude', messages: [{ role: 'assistant', content: [{ text: 'x' }] }] })), ValidationException);
  await assert.rejects(runtime.send(new ConverseCommand({ modelId: 'claude', messages: say('[[fault:throttle]]') })), ThrottlingException);
  const wrong = new BedrockRuntimeClient({ ...options, credentials: { accessKeyId: 'sk-wrong', secretAccessKey: 'x' } });
  await assert.rejects(wrong.send(new ConverseCommand({ modelId: 'claude', messages: say('x') })), { name: 'UnrecognizedClientException' });
  wrong.destroy();
});

test('a stream that is left early', async () => {
  const abort = new AbortController();
  const { stream } = await runtime.send(new ConverseStreamCommand({ modelId: 'claude', messages: say('[[words:2000]]') }), { abortSignal: abort.signal });
  let events = 0;
  try {
    for await (const _ of stream) if (++events === 3) abort.abort();
  } catch {
    // the SDK may say that it was aborted
  }
  assert.ok(events >= 3 && events < 2000, `${events} events`);
  assert.equal((await runtime.send(new ConverseCommand({ modelId: 'claude', messages: say('Hello!') }))).stopReason, 'end_turn');
});

test('agents, flows and knowledge bases', async () => {
  const { completion } = await agents.send(new InvokeAgentCommand({ agentId: 'A', agentAliasId: 'B', sessionId: 's', inputText: 'hello' }));
  let text = '';
  for await (const e of completion) text += e.chunk ? Buffer.from(e.chunk.bytes).toString() : '';
  assert.equal(text, 'You said: hello');
  const { responseStream } = await agents.send(new InvokeFlowCommand({ flowIdentifier: 'F', flowAliasIdentifier: 'A', inputs: [{ nodeName: 'n', content: { document: 'x' } }] }));
  for await (const e of responseStream) assert.ok(e.flowOutputEvent?.content.document === 'x' || e.flowCompletionEvent);
  const found = await agents.send(new RetrieveCommand({ knowledgeBaseId: 'KB', retrievalQuery: { text: 'rain' } }));
  assert.equal(found.retrievalResults.length, 1);
  const answer = await agents.send(new RetrieveAndGenerateCommand({ input: { text: 'rain' } }));
  assert.equal(answer.output.text, 'You said: rain');
});

test('rerank, guardrails and lists', async () => {
  const source = (text) => ({ type: 'INLINE', inlineDocumentSource: { type: 'TEXT', textDocument: { text } } });
  const ranked = await agents.send(new RerankCommand({
    queries: [{ type: 'TEXT', textQuery: { text: 'the rain in Bergen' } }], sources: [source('snow'), source('the rain in Bergen falls')],
    rerankingConfiguration: { type: 'BEDROCK_RERANKING_MODEL', bedrockRerankingConfiguration: { modelConfiguration: { modelArn: 'cohere.rerank-v3-5:0' } } },
  }));
  assert.equal(ranked.results[0].index, 1);
  const judged = await runtime.send(new ApplyGuardrailCommand({ guardrailIdentifier: 'g', guardrailVersion: '1', source: 'INPUT', content: [{ text: { text: 'x' } }] }));
  assert.equal(judged.action, 'NONE');
  const control = new BedrockClient(options);
  assert.ok((await control.send(new ListInferenceProfilesCommand({ maxResults: 3 }))).inferenceProfileSummaries.length === 3);
  control.destroy();
});
