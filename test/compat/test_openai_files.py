"""Images and documents through the OpenAI client: as data, as files, behind URLs."""

import base64
import http.server
import threading

import openai
import pytest

from conftest import Program
from samples import MODEL, data_url, pdf, png

LOOPBACK = ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]"]
PRIVATE = ["10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "[fd00:ec2::254]", "100.64.0.1"]


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=30) as c:
        yield c


def ask(client, *parts, model: str = MODEL) -> str:
    content = [{"type": "text", "text": "what is this?"}, *parts]
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    return answer.choices[0].message.content


def image(url: str) -> dict:
    return {"type": "image_url", "image_url": {"url": url}}


def file(**members: str) -> dict:
    return {"type": "file", "file": members}


def test_many_images_in_their_order(client):
    pictures = [png(width, 1) for width in (1, 30, 300)]
    said = ask(client, *(image(data_url(p)) for p in pictures))
    assert [line for line in said.splitlines() if "image" in line] == [f"You sent: image/png ({len(p)} bytes)" for p in pictures]


def test_an_image_streams(client):
    content = [{"type": "text", "text": "look"}, image(data_url(png()))]
    chunks = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}], stream=True)
    assert "image/png" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_the_bytes_tell_the_type(client):
    wrong = "data:image/jpeg;base64," + base64.b64encode(png()).decode()
    assert "image/png" in ask(client, image(wrong))


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (image("data:image/png;base64,aGVsbG8="), "messages[0].content[1].image_url"),
        (image("data:image/png;base64,%%%"), "messages[0].content[1].image_url.url"),
        (image("ftp://example.com/a.png"), "messages[0].content[1].image_url.url"),
        (file(file_id="file-abc123"), "messages[0].content[1].file.file_id"),
        (file(filename="a.exe", file_data="data:application/octet-stream;base64,TVqQ"), "messages[0].content[1].file"),
    ],
)
def test_what_is_no_usable_file_is_refused_by_its_place(client, part, param):
    with pytest.raises(openai.BadRequestError) as e:
        ask(client, part)
    assert e.value.param == param
    assert e.value.code == "invalid_media"


def test_an_image_for_a_model_without_eyes(client):
    with pytest.raises(openai.BadRequestError) as e:
        ask(client, image(data_url(png())), model="openai.gpt-oss-20b-1:0")
    assert e.value.param == "messages[0].content[1]"
    assert "image" in e.value.message


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE])
@pytest.mark.parametrize("shape", [image, lambda url: file(file_id=url)], ids=["image_url", "file"])
def test_addresses_that_are_not_public_are_refused(client, host, shape):
    with pytest.raises(openai.BadRequestError) as e:
        ask(client, shape(f"http://{host}/secret.png"))
    assert e.value.param == "messages[0].content[1]"
    assert e.value.code == "invalid_media"
    assert host.strip("[]") in e.value.message
    assert "secret" not in e.value.message


class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        pages = {"/a.png": png(), "/a.pdf": pdf(), "/page": b"<html>hello</html>" * 20}
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.end_headers()
        elif self.path in pages:
            self.send_response(200)
            self.send_header("Content-Length", str(len(pages[self.path])))
            self.end_headers()
            self.wfile.write(pages[self.path])
        else:
            self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def opened(tmp_path_factory, simulator):
    """A client of a gateway that may fetch from one local server, and the address of that."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host = f"127.0.0.1:{server.server_port}"
    data = tmp_path_factory.mktemp("opened")
    (data / "config.yaml").write_text(f"""
model_list:
  - model_name: {MODEL}
    litellm_params:
      model: bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0
      aws_region_name: us-east-1
      aws_access_key_id: AKIAOUTCROPSIMULATOR
      aws_secret_access_key: outcrop-simulator-secret-access-key-0000
      aws_bedrock_runtime_endpoint: {simulator}
litellm_settings:
  user_url_allowed_hosts: ["{host}"]
""")
    program = Program(
        "serve", "--config", str(data / "config.yaml"), "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data),
        ready=r'"Outcrop is ready" address=(http://\S+)',
    )
    with openai.OpenAI(base_url=program.url + "/v1", api_key="sk-any", max_retries=0, timeout=30) as client:
        yield client, f"http://{host}"
    program.stop()
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_behind_urls(opened):
    client, url = opened
    said = ask(client, image(url + "/a.png"), file(file_id=url + "/a.pdf"))
    assert f"image/png ({len(png())} bytes)" in said
    assert f"({len(pdf())} bytes)" in said


@pytest.mark.parametrize("path", ["/none.png", "/page", "/away"])
def test_files_that_cannot_be_fetched(opened, path):
    client, url = opened
    with pytest.raises(openai.BadRequestError) as e:
        ask(client, image(url + path))
    assert e.value.param == "messages[0].content[1]"
    assert "127.0.0.1" in e.value.message or "169.254.169.254" in e.value.message
    assert "meta-data" not in e.value.message


PDF = base64.b64encode(pdf()).decode()


@pytest.mark.parametrize("model", [MODEL, "nova"])
@pytest.mark.parametrize(
    "part",
    [
        file(filename="my report_1.pdf", file_data="data:application/pdf;base64," + PDF),
        file(filename="my report_1.pdf", file_data=PDF),
        file(file_data="data:application/pdf;base64," + PDF),
        image("data:application/pdf;base64," + PDF),
    ],
    ids=["data URL", "base64", "without a name", "as image_url"],
)
def test_pdf(client, model, part):
    said = ask(client, part, model=model)
    name = "my report-1" if "filename" in part.get("file", {}) else "Document-"
    assert f'document/pdf "{name}' in said
    assert f"({len(pdf())} bytes)" in said


def test_a_document_alone_and_twice(client):
    """AWS wants a text beside documents, and different names for them."""
    part = file(filename="a.pdf", file_data="data:application/pdf;base64," + PDF)
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part, part]}])
    said = answer.choices[0].message.content
    assert 'document/pdf "a" ' in said and 'document/pdf "a (2)" ' in said


@pytest.mark.parametrize("name", ["a.csv", "a.doc", "a.docx", "a.xls", "a.xlsx", "a.html", "a.txt", "a.md"])
def test_other_documents(client, name):
    data = base64.b64encode(b"city,people\nOslo,717710\n").decode()
    kind = name.removeprefix("a.")
    assert f'document/{kind} "a" (24 bytes)' in ask(client, file(filename=name, file_data=data))
