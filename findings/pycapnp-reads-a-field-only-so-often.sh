#!/usr/bin/env bash
# Reading one field of one Cap'n Proto message again and again fails in the end: 1 MiB can be looked at 63 times.
#
# Expected: a message that was accepted can be read for as long as it is kept. Looking at a field changes nothing.
# Seen with pycapnp 2.2.4: a message has an allowance of 64 MiB, meant for messages that point to the same bytes many
# times. Each access to a list, text or data field is charged with its full length, also when it is the same
# field, in one program, in a row. The allowance is never filled up again. A server that keeps a configuration of 1 MiB
# as a message answers 63 requests from it. `len(message.field)` and asking for one element cost as much as
# reading everything, since each of them gets the field first. Keeping the list that the first access returns costs once.
# Numbers and booleans are free. Small messages fail as well, just later: 1 KiB after 65,535 times.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install pycapnp==2.2.4
cat >table.capnp <<'CAPNP'
@0xbf5147cbbecf40c1;
struct Table { number @0 :UInt32; rows @1 :List(Int64); }
CAPNP

venv/bin/python - <<'PY'
import capnp

print("pycapnp", capnp.__version__)
Table = capnp.load("table.capnp").Table


def times(rows, look, limit=100_000):
    with Table.from_bytes(Table.new_message(number=7, rows=list(range(rows))).to_bytes()) as table:
        for count in range(limit):
            try:
                look(table)
            except capnp.KjException:
                return count
    return "as often as tried"


seen = {
    "the length of 1 MiB": times(131_072, lambda table: len(table.rows)),
    "one element of 1 MiB": times(131_072, lambda table: table.rows[5]),
    "one element of 1 KiB": times(128, lambda table: table.rows[5]),
    "a number beside it": times(131_072, lambda table: table.number),
}
for what, count in seen.items():
    print(f"{what}: {count}")
with Table.from_bytes(Table.new_message(rows=list(range(131_072))).to_bytes()) as table:
    rows = table.rows
    kept = {rows[5] for _ in range(100_000)}
print("one element of 1 MiB, by way of a list that is kept: as often as tried")
often = "as often as tried"
as_seen = list(seen.values())[:2] == [63, 63] and seen["one element of 1 KiB"] == 65_535
as_seen &= seen["a number beside it"] == often and kept == {5}
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
