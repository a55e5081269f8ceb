"""Rerank through Cohere's own client, of both versions of its API, and LangChain's."""

import cohere
import httpx
import pytest
from langchain_cohere import CohereRerank
from langchain_core.documents import Document

MODELS = [
    "bedrock/cohere.rerank-v3-5:0",
    "bedrock/amazon.rerank-v1:0",
    "bedrock/arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0",
    "bedrock/invoke/cohere.rerank-v3-5:0",
    "bedrock/invoke/amazon.rerank-v1:0",
]
QUERY = "What is the capital of the United States?"
DOCUMENTS = [
    "Carson City is the capital city of the American state of Nevada.",
    "The Commonwealth of the Northern Mariana Islands is a group of islands in the Pacific Ocean. Its capital is Saipan.",
    "Washington, D.C. is the capital of the United States.",
    "Capital punishment has existed in the United States since before it was a country.",
]


@pytest.fixture
def v1(gateway):
    return cohere.Client(base_url=gateway.url, api_key=gateway.key, timeout=30)


@pytest.fixture
def v2(gateway):
    return cohere.ClientV2(base_url=gateway.url, api_key=gateway.key, timeout=30)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("top_n", [2, 3, None])
def test_second_version(v2, model, top_n):
    answer = v2.rerank(model=model, query=QUERY, documents=DOCUMENTS, top_n=top_n)
    assert len(answer.results) == (top_n or 4)
    assert answer.results[0].index == 2
    scores = [r.relevance_score for r in answer.results]
    assert scores == sorted(scores, reverse=True)
    assert answer.id
    assert answer.meta.billed_units.search_units == 1


@pytest.mark.parametrize("model", MODELS)
def test_first_version(v1, model):
    documents = [{"text": d} for d in DOCUMENTS[:3]] + [DOCUMENTS[3]]
    answer = v1.rerank(model=model, query=QUERY, documents=documents, top_n=3, return_documents=True)
    assert [r.index for r in answer.results][0] == 2
    assert [r.document.text for r in answer.results] == [DOCUMENTS[r.index] for r in answer.results]


def test_fields_of_objects(v1):
    documents = [{"title": "Nevada", "text": DOCUMENTS[2]}, {"title": QUERY, "text": "nothing"}]
    answer = v1.rerank(model=MODELS[0], query=QUERY, documents=documents, rank_fields=["title"], return_documents=True)
    assert answer.results[0].index == 1
    assert answer.results[0].document.text == "nothing"


def test_many_documents(v2):
    answer = v2.rerank(model=MODELS[1], query=QUERY, documents=DOCUMENTS * 60)
    assert sorted(r.index for r in answer.results) == list(range(240))
    assert answer.meta.billed_units.search_units == 3


def test_errors_are_told_by_their_status(v2, gateway):
    with pytest.raises(cohere.NotFoundError):
        v2.rerank(model="no-such-model", query=QUERY, documents=DOCUMENTS)
    with pytest.raises(cohere.BadRequestError, match="max_tokens_per_doc"):
        v2.rerank(model=MODELS[0], query=QUERY, documents=DOCUMENTS, max_tokens_per_doc=100)
    with pytest.raises(cohere.UnauthorizedError):
        cohere.ClientV2(base_url=gateway.url, api_key="sk-wrong-key").rerank(model=MODELS[0], query=QUERY, documents=DOCUMENTS)


def test_cost_is_kept(gateway):
    answer = httpx.post(
        gateway.url + "/rerank", headers={"Authorization": f"Bearer {gateway.key}"},
        json={"model": MODELS[0], "query": QUERY, "documents": DOCUMENTS * 30},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-litellm-response-cost"] == "0.004"
    row = gateway.spend(answer.headers["x-litellm-call-id"])
    assert (row["call_type"], row["spend"], row["queries"]) == ("arerank", 0.004, 2)


def test_langchain(gateway):
    reranker = CohereRerank(model=MODELS[0], base_url=gateway.url, cohere_api_key=gateway.key, top_n=2)
    found = reranker.compress_documents([Document(page_content=d) for d in DOCUMENTS], QUERY)
    assert [d.page_content for d in found][0] == DOCUMENTS[2]
    assert len(found) == 2 and found[0].metadata["relevance_score"] > found[1].metadata["relevance_score"]
