#!/usr/bin/env bash
# In a union of double and long, fastavro makes 2^53 + 1 a double if double stands first, and avro if it stands last.
#
# Expected: of a union's branches the one is written that is made for the value: long for an int, double for a float.
# Seen with fastavro 1.13.1 and Apache's avro 1.12.2 for Python: both count every int as fitting into a double, whatever
# its size. fastavro takes the first branch that fits, avro the last one. So 9007199254740993 comes back as
# 9007199254740992.0 from [double, long] if fastavro wrote it, and from [long, double] if avro did, whoever reads it. No
# order of the two is safe with both, and one value has two encodings, none of which is an error to anybody.
# Whoever leaves fastavro for avro, or back, turns the loss on or off without a change of schema.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install fastavro==1.13.1 avro==1.12.2

"$place/venv/bin/python" - <<'PY'
import importlib.metadata
import io
import json

import avro.io
import avro.schema
import fastavro


def with_fastavro(schema):
    def write(value):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, value)
        return out.getvalue()

    return write, lambda data: fastavro.schemaless_reader(io.BytesIO(data), schema, None)


def with_avro(schema):
    parsed = avro.schema.parse(json.dumps(schema))

    def write(value):
        out = io.BytesIO()
        avro.io.DatumWriter(parsed).write(value, avro.io.BinaryEncoder(out))
        return out.getvalue()

    return write, lambda data: avro.io.DatumReader(parsed).read(avro.io.BinaryDecoder(io.BytesIO(data)))


print("fastavro", fastavro.__version__, "avro", importlib.metadata.version("avro"))
number = 2**53 + 1
seen = {}
for schema in (["double", "long"], ["long", "double"]):
    libraries = {"fastavro": with_fastavro(schema), "avro": with_avro(schema)}
    for writer, (write, _) in libraries.items():
        data = write(number)
        read = [repr(read(data)) for _, read in libraries.values()]
        seen[schema[0], writer] = data.hex(), *read
        print(f"{schema}: {number} written by {writer} as {data.hex()}, read by fastavro {read[0]}, by avro {read[1]}")
lost, kept = ("9007199254740992.0",) * 2, (str(number),) * 2
expected = {"fastavro": {"double": lost, "long": kept}, "avro": {"double": kept, "long": lost}}
as_seen = all(read[1:] == expected[writer][first] for (first, writer), read in seen.items())
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
