#!/usr/bin/env bash
# FlatBuffers and betterproto read back -0.0 as 0.0; protobuf's own library, with the same rule for defaults, keeps it.
#
# Expected: a field is left out if it is the default, and -0.0 is not the same double as 0.0, so that it is written.
# Seen with flatbuffers 25.12.19 for Python, protobuf 7.36.2 and betterproto 1.2.5: flatbuffers and betterproto compare
# the value by `==`, by which the two zeros are equal, leave the field out, and the reader's default is the other one.
# protobuf compares the bits, and writes nine bytes for -0.0 where betterproto writes none for the same message. So
# equal messages have two encodings and two hashes. In a list, which has no defaults, both keep the sign.
# It changes results: 1 / x, atan2 (which side of a cut), the sign that a longitude of "-0.0 degrees" is printed with.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install flatbuffers==25.12.19 protobuf==7.36.2 betterproto==1.2.5

"$place/venv/bin/python" - <<'PY'
import math
from dataclasses import dataclass
from typing import List

import betterproto
import flatbuffers
from flatbuffers import number_types
from flatbuffers.table import Table
from google.protobuf import wrappers_pb2


def through_flatbuffers(value):
    builder = flatbuffers.Builder()
    builder.StartObject(1)
    builder.PrependFloat64Slot(0, value, 0.0)
    builder.Finish(builder.EndObject())
    buffer = bytes(builder.Output())
    table = Table(buffer, flatbuffers.encode.Get(flatbuffers.packer.uoffset, buffer, 0))
    field = table.Offset(4)
    return table.Get(number_types.Float64Flags, field + table.Pos) if field else 0.0


@dataclass
class DoubleValue(betterproto.Message):
    value: float = betterproto.double_field(1)


@dataclass
class Doubles(betterproto.Message):
    values: List[float] = betterproto.double_field(1)


google = wrappers_pb2.DoubleValue(value=-0.0).SerializeToString()
better = bytes(DoubleValue(value=-0.0))
signs = {
    "flatbuffers": math.copysign(1, through_flatbuffers(-0.0)),
    "protobuf": math.copysign(1, wrappers_pb2.DoubleValue.FromString(google).value),
    "betterproto": math.copysign(1, DoubleValue().parse(better).value),
    "betterproto, in a list": math.copysign(1, Doubles().parse(bytes(Doubles(values=[-0.0]))).values[0]),
}
for library, sign in signs.items():
    print(f"{library}: -0.0 comes back with the sign {sign:+.0f}")
print(f"bytes of the message: protobuf {google.hex()!r}, betterproto {better.hex()!r}")
as_seen = list(signs.values()) == [1, -1, 1, -1] and google.hex() == "090000000000000080" and better == b""
as_seen &= through_flatbuffers(-1.5) == -1.5
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
