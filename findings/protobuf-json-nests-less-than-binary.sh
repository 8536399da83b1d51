#!/usr/bin/env bash
# One protobuf value, written by the library itself, can be read back from bytes but not from JSON.
#
# Expected: the two encodings of a message nest equally deep, since both name 100 as their limit.
# Seen with protobuf 7.36.2 (PyPI, the "upb" implementation) and CPython: a `google.protobuf.Value` that holds
# 50 lists within each other goes through bytes unharmed. `MessageToJson` writes it without a word, and
# `json_format.Parse` refuses the text just written. 49 lists go through both. The two readers count
# differently: each list is two messages for one, and the JSON reader counts one level more in all.
# Who bridges binary and JSON peers must bound nesting at 49 lists, or the bridge works one way only.
# Neither writer has a limit of its own: 51 lists are written as bytes that the same library refuses to read.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install protobuf==7.36.2

"$place/venv/bin/python" - <<'PY'
import google.protobuf
from google.protobuf import json_format, struct_pb2
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError


def lists(depth):
    value = struct_pb2.Value()
    innermost = value
    for _ in range(depth):
        innermost = innermost.list_value.values.add()
    innermost.number_value = 1
    return value


def through_bytes(value):
    try:
        return struct_pb2.Value.FromString(value.SerializeToString()) == value
    except DecodeError:
        return "refused"


def through_json(value):
    text = json_format.MessageToJson(value, indent=None)
    try:
        return json_format.Parse(text, struct_pb2.Value()) == value
    except json_format.ParseError as error:
        return str(error)


print("protobuf", google.protobuf.__version__, api_implementation.Type())
seen = {}
for depth in (49, 50, 51):
    seen[depth] = through_bytes(lists(depth)), through_json(lists(depth))
    print(f"{depth} lists: through bytes {seen[depth][0]}, through JSON {seen[depth][1]}")

too_deep = "Message too deep. Max recursion depth is 100"
expected = {49: (True, True), 50: (True, too_deep), 51: ("refused", too_deep)}
raise SystemExit(0 if seen == expected else "the behaviour has changed")
PY
