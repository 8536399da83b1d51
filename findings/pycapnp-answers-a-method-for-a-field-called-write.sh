#!/usr/bin/env bash
# A field `write` of a Cap'n Proto message can be set in pycapnp, and is then read as a method: it is always true.
#
# Expected: what was just assigned to an attribute is what the attribute gives back.
# Seen with pycapnp 2.2.4: a message that is being built has methods `write`, `copy`, `init` and others. Assigning
# to a field of such a name goes to the field. Reading goes to the method. `if rights.write:` holds for a message in
# which `write` is false. When the same bytes are read as a message, the field is the field: False. So the sender's checks
# and the receiver's disagree about one message. A field `schema` is hidden on both sides.
# `to_dict()` tells the truth everywhere, and the bytes are right.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install pycapnp==2.2.4
cat >rights.capnp <<'CAPNP'
@0xbf5147cbbecf40c1;
struct Rights { read @0 :Bool; write @1 :Bool; copy @2 :Bool; schema @3 :Text; }
CAPNP

venv/bin/python - <<'PY'
import capnp

print("pycapnp", capnp.__version__)
Rights = capnp.load("rights.capnp").Rights
built = Rights.new_message(read=False, write=False, copy=False, schema="v1")
built.write = False
seen = {"built": {}, "read": {}}
truth = {"read": False, "write": False, "copy": False, "schema": "v1"}
with Rights.from_bytes(built.to_bytes()) as read:
    for name in truth:
        seen["built"][name] = getattr(built, name)
        seen["read"][name] = getattr(read, name)
    dicts = built.to_dict(), read.to_dict()
for name in truth:
    values = seen["built"][name], seen["read"][name]
    shown = [value if isinstance(value, bool) else type(value).__name__ for value in values]
    print(f"{name} is {truth[name]!r}: while building {shown[0]}, when read {shown[1]}")
right = {side: [name for name in truth if type(values[name]) is type(truth[name]) and values[name] == truth[name]] for side, values in seen.items()}
as_seen = right == {"built": ["read"], "read": ["read", "write", "copy"]} and dicts == (truth, truth)
as_seen &= bool(seen["built"]["write"]) and callable(seen["built"]["copy"])
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
