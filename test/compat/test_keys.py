"""Virtual keys, made and used by the clients that people have."""

import json
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import openai
import pytest

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.fixture
def admin(gateway):
    def call(path, body=None, key=gateway.key, method=None):
        request = urllib.request.Request(
            gateway.url + path, data=None if body is None else json.dumps(body).encode(), method=method,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            return json.load(refused) | {"status": refused.code}

    return call


def chat(gateway, key, model="claude"):
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=key, max_retries=0)
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}])


def converse(gateway, key, monkeypatch, model="claude"):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    client = boto3.client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=gateway.url + "/bedrock", aws_access_key_id=key, aws_secret_access_key="x",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, signature_version="v4"),
    )
    return client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hi"}]}])


def test_life_of_a_key(gateway, admin, monkeypatch):
    made = admin("/key/generate", {"key_alias": "compat", "models": ["claude"], "duration": "1h"})
    key = made["key"]
    assert key.startswith("sk-") and made["key_alias"] == "compat" and made["expires"]

    assert chat(gateway, key).choices[0].message.content
    assert converse(gateway, key, monkeypatch)["output"]["message"]["content"][0]["text"]
    assert [m.id for m in openai.OpenAI(base_url=gateway.url + "/v1", api_key=key).models.list()] == ["claude"]

    with pytest.raises(openai.PermissionDeniedError) as refused:
        chat(gateway, key, model=MODEL)
    assert refused.value.type == "key_model_access_denied"
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        converse(gateway, key, monkeypatch, model=MODEL)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"

    assert admin("/key/block", {"key": key})["blocked"]
    with pytest.raises(openai.AuthenticationError):
        chat(gateway, key)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        converse(gateway, key, monkeypatch)
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"
    admin("/key/unblock", {"key": key})
    assert chat(gateway, key)

    fresh = admin("/key/regenerate", {"key": key, "grace_period": "1h"})["key"]
    assert chat(gateway, key) and chat(gateway, fresh)
    assert admin("/key/info?key=" + fresh)["info"]["key_alias"] == "compat"

    assert admin("/key/delete", {"keys": [fresh]})["deleted_keys"]
    for gone in (key, fresh):
        with pytest.raises(openai.AuthenticationError) as refused:
            chat(gateway, gone)
        assert refused.value.code == "invalid_api_key"


def test_a_team_and_its_members(gateway, admin):
    team = admin("/team/new", {"team_alias": "compat-team", "models": ["claude"], "members_with_roles": [{"user_id": "compat-ada", "role": "admin"}]})
    ada = admin("/key/generate", {"user_id": "compat-ada"})["key"]
    made = admin("/key/generate", {"team_id": team["team_id"], "key_alias": "compat-team-key"}, key=ada)
    assert made["created_by"] == "compat-ada"
    assert chat(gateway, made["key"])
    with pytest.raises(openai.PermissionDeniedError) as refused:
        chat(gateway, made["key"], model=MODEL)
    assert refused.value.type == "team_model_access_denied"
    admin("/team/block", {"team_id": team["team_id"]})
    with pytest.raises(openai.AuthenticationError):
        chat(gateway, made["key"])
    assert admin("/team/delete", {"team_ids": [team["team_id"]]})["deleted_teams"] == [team["team_id"]]


def test_refusals_name_their_field(gateway, admin):
    assert admin("/key/generate", {"modells": []})["error"]["param"] == "modells"
    assert admin("/key/generate", {"guardrails": ["x"]})["status"] == 422
    assert admin("/key/generate", key="sk-nothing-of-this-name", body={})["status"] == 401
