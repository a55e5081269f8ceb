"""What the tests send: messages, tools and a picture."""

import base64
import struct
import zlib

MODEL = "claude"  # one of the demo's names
MODELS = ["claude", "nova", "llama"]
THINKING = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"  # thinks if asked to
NATIVE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"  # holds its answer to a schema by itself


def user(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def late(fault: str) -> list[dict]:
    """Asks for a fault so deep in a long stream that much of it has reached the client before."""
    return user(f"[[fault:{fault};after=1500]] " + "x" * 40_000)


def function(name: str, **properties: str) -> dict:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name} of a place",
            "parameters": {
                "type": "object",
                "properties": {k: {"type": v} for k, v in properties.items()},
                "required": list(properties),
            },
        },
    }


TOOLS = [function("get_weather", city="string"), function("get_time", zone="string")]


def png(width: int = 2, height: int = 2) -> bytes:
    """A whole, valid PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = b"".join(b"\x00" + b"\x80\x20\x20" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def data_url(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def pdf(text: str = "Outcrop") -> bytes:
    """A whole, valid PDF of one page."""
    content = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (table, len(out))
