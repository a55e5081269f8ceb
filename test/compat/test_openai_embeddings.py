"""Embeddings through OpenAI's client and LangChain, which ask for base64 of themselves."""

import math

import openai
import pytest
from langchain_openai import OpenAIEmbeddings

MODELS = [
    "bedrock/amazon.titan-embed-text-v1",
    "bedrock/amazon.titan-embed-text-v2:0",
    "bedrock/amazon.titan-embed-image-v1",
    "bedrock/cohere.embed-english-v3",
    "bedrock/us.cohere.embed-v4:0",
    "bedrock/amazon.nova-2-multimodal-embeddings-v1:0",
    "bedrock/us.twelvelabs.marengo-embed-2-7-v1:0",
    "bedrock/us.twelvelabs.marengo-embed-3-0-v1:0",
]


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


def close(a, b):
    return len(a) == len(b) and all(math.isclose(x, y, abs_tol=1e-6) for x, y in zip(a, b))


@pytest.mark.parametrize("model", MODELS)
def test_the_client_gets_the_same_numbers_either_way(client, model):
    texts = ["the rain in Oslo", "the rain in Bergen"]
    encoded = client.embeddings.create(model=model, input=texts)  # the client asks for base64
    plain = client.embeddings.create(model=model, input=texts, encoding_format="float")
    assert [d.index for d in encoded.data] == [0, 1]
    for a, b in zip(encoded.data, plain.data):
        assert close(a.embedding, b.embedding)
    assert encoded.model == model


def test_dimensions(client):
    answer = client.embeddings.create(model="bedrock/amazon.titan-embed-text-v2:0", input="hi", dimensions=256)
    assert len(answer.data[0].embedding) == 256
    with pytest.raises(openai.BadRequestError, match="256, 512, 1024"):
        client.embeddings.create(model="bedrock/amazon.titan-embed-text-v2:0", input="hi", dimensions=300)


def test_tokens_are_refused(client):
    with pytest.raises(openai.BadRequestError, match="token ids"):
        client.embeddings.create(model=MODELS[0], input=[[1, 2]])


def test_langchain(gateway):
    embeddings = OpenAIEmbeddings(
        model="bedrock/amazon.titan-embed-text-v2:0", base_url=gateway.base_url, api_key=gateway.key, check_embedding_ctx_length=False
    )
    vectors = embeddings.embed_documents(["a", "b", "c"])
    assert len(vectors) == 3 and len(vectors[0]) == 1024
    assert close(embeddings.embed_query("a"), vectors[0])
