"""The table of internal/gateway/schema_leaves_test.go knows every leaf of the request that OpenAI's client can send.

The client's own types are the schema. A new version of it with a new parameter fails here until the table has a row
that says what becomes of it.
"""

import re
import types
import typing

import typing_extensions
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming

from conftest import ROOT

TABLE = ROOT / "internal" / "gateway" / "schema_leaves_test.go"
ANY = (object, typing.Any)


def leaves(kind, path: str = "", seen: tuple = ()) -> typing.Iterator[str]:
    """The paths of what is neither object nor list, without the numbers of elements."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if typing_extensions.is_typeddict(kind):
        if kind in seen:
            return
        for name, member in typing_extensions.get_type_hints(kind).items():
            yield from leaves(member, f"{path}.{name}".lstrip("."), (*seen, kind))
    elif origin in (typing.Union, types.UnionType):
        for a in arguments:
            yield from leaves(a, path, seen)
    elif origin is typing.Annotated or origin in (typing.Required, typing.NotRequired):
        yield from leaves(arguments[0], path, seen)
    elif origin is dict:  # members of any name
        yield path
    elif origin is not None and origin is not typing.Literal and arguments:  # a list of some kind
        yield from leaves(arguments[0], path, seen)
    elif kind is not type(None):
        yield path


def rows() -> set[str]:
    paths = re.findall(r'^\tf\("([^"]+)"', TABLE.read_text(), re.MULTILINE)
    return {re.sub(r"\[\d+\]", "", path) for path in paths}


def covered(leaf: str, have: set[str], whole: set[str]) -> bool:
    """A row stands for its leaf, or for all below it if it is no leaf itself."""
    steps = leaf.split(".")
    parents = {".".join(steps[:n]) for n in range(1, len(steps))}
    return leaf in have or any(row in parents or row.startswith(leaf + ".") for row in have - (whole - {leaf}))


def test_every_leaf_has_a_row():
    schema = set(leaves(CompletionCreateParamsNonStreaming)) | set(leaves(CompletionCreateParamsStreaming))
    assert len(schema) > 90 and "web_search_options.user_location.approximate.city" in schema
    have = rows()
    missing = sorted(leaf for leaf in schema if not covered(leaf, have, schema))
    assert not missing, "no row for: " + ", ".join(missing)
