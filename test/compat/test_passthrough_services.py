"""boto3's other clients of Bedrock through the gateway: agents, knowledge bases, guardrails, asynchronous calls, lists."""

import boto3
import pytest
from botocore.config import Config

from test_passthrough import spend


def connect(gateway, service: str, path: str = "/bedrock", **more):
    return boto3.client(
        service, endpoint_url=gateway.url + path, region_name="us-east-1",
        aws_access_key_id=gateway.key, aws_secret_access_key="anything", config=Config(retries={"total_max_attempts": 1}), **more,
    )


@pytest.fixture(params=["/bedrock", ""], ids=["bedrock", "root"])
def agents(gateway, request):
    return connect(gateway, "bedrock-agent-runtime", request.param)


@pytest.fixture
def runtime(gateway):
    return connect(gateway, "bedrock-runtime")


QUESTION = {"text": "Does it rain in Bergen?"}
GENERATE = {"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": {"knowledgeBaseId": "KB12345678", "modelArn": "amazon.nova-lite-v1:0"}}


def test_knowledge_bases(gateway, agents):
    found = agents.retrieve(knowledgeBaseId="KB12345678", retrievalQuery=QUESTION)
    assert "Bergen" in found["retrievalResults"][0]["content"]["text"]
    row = spend(gateway, found)
    assert row["call_type"] == "pass_through_endpoint"
    assert row["spend"] is None  # nobody says what it costs
    answer = agents.retrieve_and_generate(input=QUESTION, retrieveAndGenerateConfiguration=GENERATE)
    assert answer["output"]["text"] == "You said: Does it rain in Bergen?"
    stream = agents.retrieve_and_generate_stream(input=QUESTION, retrieveAndGenerateConfiguration=GENERATE)
    assert stream["sessionId"]
    assert "".join(e["output"]["text"] for e in stream["stream"] if "output" in e) == "You said: Does it rain in Bergen?"
    sql = agents.generate_query(
        queryGenerationInput={"type": "TEXT", "text": "rain"},
        transformationConfiguration={
            "mode": "TEXT_TO_SQL",
            "textToSqlConfiguration": {"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": {"knowledgeBaseArn": "arn:aws:bedrock:us-east-1:123456789012:knowledge-base/KB12345678"}},
        },
    )
    assert sql["queries"][0]["type"] == "REDSHIFT_SQL"


def test_agents(gateway, agents):
    answer = agents.invoke_agent(agentId="AGENT12345", agentAliasId="ALIAS12345", sessionId="my:session", inputText="hello", enableTrace=True)
    assert answer["sessionId"] == "my:session" and answer["contentType"] == "application/json"
    events = list(answer["completion"])
    assert b"".join(e["chunk"]["bytes"] for e in events if "chunk" in e) == b"You said: hello"
    usage = next(
        e["trace"]["trace"]["orchestrationTrace"]["modelInvocationOutput"]["metadata"]["usage"]
        for e in events if "trace" in e and "modelInvocationOutput" in e["trace"]["trace"]["orchestrationTrace"]
    )
    row = spend(gateway, answer)
    assert (row["input_tokens"], row["completion_tokens"]) == (usage["inputTokens"], usage["outputTokens"]) and row["spend"] > 0
    inline = agents.invoke_inline_agent(
        sessionId="s-1", foundationModel="amazon.nova-lite-v1:0", instruction="Answer what you are asked, in one sentence at the most.", inputText="hi"
    )
    assert [e["chunk"]["bytes"] for e in inline["completion"]] == [b"You said: hi"]


def test_flows_prompts_sessions(agents):
    flow = agents.invoke_flow(
        flowIdentifier="arn:aws:bedrock:us-east-1:123456789012:flow/FLOW123456", flowAliasIdentifier="ALIAS12345",
        inputs=[{"nodeName": "FlowInputNode", "nodeOutputName": "document", "content": {"document": {"a": [1, 2]}}}],
    )
    events = list(flow["responseStream"])
    assert events[0]["flowOutputEvent"]["content"]["document"] == {"a": [1, 2]}
    assert events[-1]["flowCompletionEvent"]["completionReason"] == "SUCCESS"
    better = agents.optimize_prompt(input={"textPrompt": {"text": "rain?"}}, targetModelId="amazon.nova-lite-v1:0")
    assert list(better["optimizedPrompt"])[-1]["optimizedPromptEvent"]["optimizedPrompt"]["textPrompt"]["text"] == "Please: rain?"
    session = agents.create_session()
    assert session["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert agents.get_session(sessionIdentifier=session["sessionId"])["sessionId"] == session["sessionId"]
    assert agents.list_sessions(maxResults=3)["sessionSummaries"] == []
    agents.delete_session(sessionIdentifier=session["sessionId"])


@pytest.mark.parametrize("model", ["cohere.rerank-v3-5:0", "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"])
def test_rerank(gateway, agents, model):
    text = lambda said: {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": said}}}
    answer = agents.rerank(
        queries=[{"type": "TEXT", "textQuery": {"text": "the rain in Bergen"}}], sources=[text("snow"), text("the rain in Bergen falls")],
        rerankingConfiguration={"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": {"modelConfiguration": {"modelArn": model}}},
    )
    assert answer["results"][0]["index"] == 1
    assert spend(gateway, answer)["spend"] == pytest.approx(0.002)


def test_guardrails(gateway, runtime):
    def apply(text: str) -> dict:
        return runtime.apply_guardrail(guardrailIdentifier="gr-1", guardrailVersion="DRAFT", source="INPUT", content=[{"text": {"text": text}}])

    fine = apply("hello")
    assert fine["action"] == "NONE" and fine["usage"]["contentPolicyUnits"] == 1
    assert spend(gateway, fine)["spend"] == pytest.approx(0.0003)  # content and topics
    assert apply("[[guardrail]]")["action"] == "GUARDRAIL_INTERVENED"


def test_asynchronous_calls(gateway, runtime):
    started = runtime.start_async_invoke(
        modelId="amazon.nova-reel-v1:1", modelInput={"taskType": "TEXT_VIDEO", "videoGenerationConfig": {"durationSeconds": 6}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://bucket/out"}},
    )
    got = runtime.get_async_invoke(invocationArn=started["invocationArn"])
    assert got["status"] == "Completed" and got["invocationArn"] == started["invocationArn"]
    assert spend(gateway, got)["spend"] == pytest.approx(0.48)
    assert runtime.list_async_invokes(maxResults=5)["asyncInvokeSummaries"] == []


@pytest.mark.parametrize("path", ["/bedrock", ""], ids=["bedrock", "root"])
def test_control_plane(gateway, path):
    bedrock = connect(gateway, "bedrock", path)
    models = bedrock.list_foundation_models(byProvider="Amazon")["modelSummaries"]
    assert models and all(m["providerName"].lower() == "amazon" for m in models)
    assert bedrock.get_foundation_model(modelIdentifier=models[0]["modelId"])["modelDetails"]["modelId"] == models[0]["modelId"]
    pages = bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 5})
    assert sum(len(page["inferenceProfileSummaries"]) for page in pages) > 5
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        bedrock.get_foundation_model(modelIdentifier="no.such-model")


@pytest.mark.parametrize(
    ("fault", "exception", "status"),
    [
        ("validation", "ValidationException", 400), ("access-denied", "AccessDeniedException", 403), ("not-found", "ResourceNotFoundException", 404),
        ("throttle", "ThrottlingException", 429), ("internal", "InternalServerException", 500),
    ],
)
def test_exceptions_of_agents(gateway, fault, exception, status):
    agents = connect(gateway, "bedrock-agent-runtime")
    with pytest.raises(getattr(agents.exceptions, exception)) as e:
        agents.retrieve(knowledgeBaseId=f"KB12345678.fault-{fault}", retrievalQuery=QUESTION)
    assert e.value.response["Error"]["Message"] and e.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
