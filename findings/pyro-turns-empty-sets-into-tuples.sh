#!/usr/bin/env bash
# A set that travels through Pyro arrives as a set if it has elements, and as a tuple if it is empty.
#
# Expected: a type either survives a serializer or does not, whatever the value.
# Seen with Pyro5 5.17 and serpent 1.43, its serializer unless told otherwise: values are written as Python literals.
# {1} is one, and the empty set has none ("{}" is a dict), so `()` is written. `names.add(…)` and `names - others` work
# at the receiver until the first time that there are no names. Bytes have a literal too, and are
# not written as one: b"ab" arrives as a dict with base64 in it. Empty lists and dicts, and tuples of one, stay what they are.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install Pyro5==5.17 serpent==1.43

"$place/venv/bin/python" - <<'PY'
import threading

import Pyro5
import Pyro5.api
import serpent


@Pyro5.api.expose
class Echo:
    def shown(self, value):
        return repr(value)


daemon = Pyro5.api.Daemon(host="127.0.0.1")
address = daemon.register(Echo)
threading.Thread(target=daemon.requestLoop, daemon=True).start()
print("Pyro", Pyro5.__version__, "serpent", serpent.__version__)
with Pyro5.api.Proxy(address) as echo:
    seen = {repr(value): echo.shown(value) for value in ({1}, set(), {"names": set()}, [], {}, (1,), b"ab")}
for sent, arrived in seen.items():
    print(f"{sent} arrives as {arrived}")
daemon.shutdown()
changed = {"set()": "()", "{'names': set()}": "{'names': ()}", "b'ab'": "{'data': 'YWI=', 'encoding': 'base64'}"}
as_seen = all(arrived == changed.get(sent, sent) for sent, arrived in seen.items())
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
