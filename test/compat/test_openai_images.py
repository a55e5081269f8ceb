"""Images through OpenAI's client: made, edited and varied."""

import base64
import io
import struct
import zlib

import httpx
import openai
import pytest

CANVAS = "bedrock/amazon.nova-canvas-v1:0"


def png(width: int, height: int, alpha=lambda x, y: 255) -> bytes:
    """A PNG of one colour, whose opacity alpha says."""
    rows = b"".join(b"\0" + b"".join(bytes((200, 30, 30, alpha(x, y))) for x in range(width)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG")
    return struct.unpack(">II", data[16:24])


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=60) as c:
        yield c


def test_images_are_png(client):
    answer = client.images.generate(model=CANVAS, prompt="A cute baby sea otter", n=2, size="1280x720", quality="hd", user="u-1")
    assert len(answer.data) == 2
    assert all(size(base64.b64decode(d.b64_json)) == (1280, 720) for d in answer.data)
    assert (answer.output_format, answer.size) == ("png", "1280x720")


@pytest.mark.parametrize(
    "model",
    ["stability.stable-diffusion-xl-v1", "stability.sd3-5-large-v1:0", "stability.stable-image-core-v1:1", "amazon.titan-image-generator-v2:0"],
)
def test_other_families(client, model):
    answer = client.images.generate(model="bedrock/" + model, prompt="otter", extra_body={"seed": 5})
    assert size(base64.b64decode(answer.data[0].b64_json))


def test_url_form(client):
    answer = client.images.generate(model=CANVAS, prompt="otter", response_format="url")
    kind, _, data = answer.data[0].url.partition(",")
    assert kind == "data:image/png;base64"
    assert size(base64.b64decode(data)) == (1024, 1024)


def test_task_of_the_model(client):
    answer = client.images.generate(
        model=CANVAS, prompt="otter",
        extra_body={"taskType": "COLOR_GUIDED_GENERATION", "colorGuidedGenerationParams": {"colors": ["#FFFFFF"]}},
    )
    assert answer.data[0].b64_json


def test_edit_with_a_mask(client):
    mask = png(64, 48, lambda x, y: 0 if x < 32 else 255)
    answer = client.images.edit(model=CANVAS, image=("a.png", png(64, 48)), mask=("m.png", mask), prompt="a hat", n=2)
    assert [size(base64.b64decode(d.b64_json)) for d in answer.data] == [(64, 48)] * 2


def test_edit_several_images(client):
    answer = client.images.edit(model=CANVAS, image=[io.BytesIO(png(64, 48)), io.BytesIO(png(32, 32))], prompt="both")
    assert answer.data[0].b64_json


def test_edit_service(client):
    answer = client.images.edit(
        model="bedrock/us.stability.stable-outpaint-v1:0", image=("a.png", png(64, 48)), prompt="sea", extra_body={"left": 16, "creativity": 0.5}
    )
    assert size(base64.b64decode(answer.data[0].b64_json)) == (80, 48)


def test_variation(gateway):
    answer = httpx.post(  # the client has no such call any more
        gateway.base_url + "/images/variations", headers={"Authorization": f"Bearer {gateway.key}"},
        data={"model": CANVAS, "n": "2"}, files={"image": ("a.png", png(64, 48), "image/png")}, timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"]) == 2
    row = gateway.spend(answer.headers["x-litellm-call-id"])
    assert (row["call_type"], row["spend"], row["images_made"]) == ("aimage_variation", 0.12, 2)


def test_refusals(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model=CANVAS, prompt="x [filter:all]")
    assert refused.value.code == "content_policy_violation"
    with pytest.raises(openai.BadRequestError, match="size"):
        client.images.generate(model=CANVAS, prompt="x", size="100x100")
    with pytest.raises(openai.BadRequestError, match="PNG, JPEG or WebP"):
        client.images.edit(model=CANVAS, image=("a.pdf", b"%PDF-1.7"), prompt="x")
    with pytest.raises(openai.BadRequestError, match="background"):
        client.images.generate(model=CANVAS, prompt="x", background="transparent")
