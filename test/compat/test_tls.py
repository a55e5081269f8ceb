"""The gateway under TLS with an authority of its own: OpenAI's clients, for Python and for Node.js."""

import shutil
import ssl
import subprocess

import httpx
import openai
import pytest

from conftest import MASTER_KEY, Program, clean_environment


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """The address of a gateway with a certificate of its own, and the file of its authority."""
    data = tmp_path_factory.mktemp("tls")
    program = Program(
        "demo", "--host", "127.0.0.1", "--port", "0", "--master-key", MASTER_KEY, "--data-dir", str(data), "--quiet", "--tls-self-signed",
        ready=r"^Outcrop is ready on (https://\S+)$",
    )
    authority = next(line.partition("=")[2].strip() for line in program.lines if line.startswith("AWS_CA_BUNDLE="))
    yield program.url, authority
    program.stop()


def test_openai(secure):
    url, authority = secure
    context = ssl.create_default_context(cafile=authority)
    with openai.OpenAI(base_url=url + "/v1", api_key=MASTER_KEY, max_retries=0, http_client=openai.DefaultHttpxClient(verify=context)) as client:
        answer = client.chat.completions.create(model="claude", messages=[{"role": "user", "content": "hello"}])
        assert answer.choices[0].message.content == "You said: hello"
        pieces = client.chat.completions.create(model="claude", messages=[{"role": "user", "content": "hello"}], stream=True)
        assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == "You said: hello"


def test_others_do_not_trust_it(secure):
    url, _ = secure
    with pytest.raises(httpx.ConnectError):
        httpx.get(url + "/health/liveliness")


def test_node(secure):
    url, authority = secure
    program = (
        "fetch(process.env.URL + '/v1/models', {headers: {authorization: 'Bearer ' + process.env.KEY}})"
        ".then((r) => r.json()).then((m) => console.log(m.data.length > 3))"
    )
    env = clean_environment() | {"URL": url, "KEY": MASTER_KEY, "NODE_EXTRA_CA_CERTS": authority}
    run = subprocess.run([shutil.which("node"), "-e", program], env=env, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "true", run.stderr


def test_http2_without_tls(gateway):
    """What the AWS SDK for JavaScript begins with: HTTP/2 with prior knowledge."""
    program = (
        "const c = require('node:http2').connect(process.env.URL);"
        "const r = c.request({':path': '/v1/models', authorization: 'Bearer ' + process.env.KEY});"
        "let t = ''; r.on('data', (d) => (t += d)); r.on('end', () => { console.log(JSON.parse(t).object); c.close(); }); r.end();"
    )
    env = clean_environment() | {"URL": gateway.url, "KEY": gateway.key}
    run = subprocess.run([shutil.which("node"), "-e", program], env=env, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "list", run.stderr
