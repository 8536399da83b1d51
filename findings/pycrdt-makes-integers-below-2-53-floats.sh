#!/usr/bin/env bash
# A shared map of pycrdt gives back 1.0 for 1, and 9007199254740992 for 2^53: small integers are floats, large ones are not.
#
# Expected: what Python puts into a map it gets back from that map. If numbers become those of JavaScript, all of them do.
# Seen with pycrdt 0.14.13: an int from 0 to 2^53 - 1 is kept as a double, as Yjs has it, and is a float
# from then on, in the very program that has set it, with no peer at all: as an index or a port it is a TypeError, and
# a key made of it is "7.0". From 2^53 on it is kept as a 64-bit integer and stays an int. A negative one is an int
# beyond the same limit. So code that reads has to expect both types of one field, and to tell an id by its size.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install pycrdt==0.14.13

"$place/venv/bin/python" - <<'PY'
import importlib.metadata

from pycrdt import Doc, Map

print("pycrdt", importlib.metadata.version("pycrdt"))
limit = 2**53
numbers = [0, 1, -1, 65535, limit - 1, limit, limit + 1, -limit + 1, -limit - 1]
shared = Doc().get("shared", type=Map)
shared["numbers"] = numbers
read = shared["numbers"]
print("set: ", numbers)
print("read:", read)
try:
    refusal = str("abc"[read[1]])
except TypeError as error:
    refusal = str(error)
print("as an index:", refusal)
types = [type(number).__name__ for number in read]
as_seen = read == numbers and types == ["float" if abs(number) < limit else "int" for number in numbers]
as_seen &= "must be integers" in refusal
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
