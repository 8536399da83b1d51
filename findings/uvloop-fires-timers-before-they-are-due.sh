#!/usr/bin/env bash
# uvloop runs a timer of 0.4 ms at once, and one of 1.4 ms after 1.1 ms; asyncio never runs a timer early.
#
# Expected: a timer may be late, and is never early. Whoever waits for a lease to end relies on that.
# Seen with uvloop 0.23.0 and CPython: `call_later` rounds its delay to the nearest millisecond, so up to half a
# millisecond is cut off. 0.4 ms become none at all, and 1.4 ms become one. asyncio rounds up: it waits at least 0.4 ms.
# A retry that waits for `deadline - now` on uvloop wakes before its deadline, finds that 0.4 ms are left, waits for
# those, and so goes round and round without a pause until the clock has caught up.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install uvloop==0.23.0

"$place/venv/bin/python" - <<'PY'
import asyncio
import time

import uvloop


def run(loop, work):
    try:
        return loop.run_until_complete(work(loop))
    finally:
        loop.close()


def shortest(delay):
    async def work(loop):
        waits = []
        for _ in range(100):
            fired = loop.create_future()
            begin = time.monotonic()
            loop.call_later(delay, lambda: fired.set_result(time.monotonic()))
            waits.append(await fired - begin)
        return min(waits)

    return work


async def wakes_until_due(loop):
    wakes = 0
    due = time.monotonic() + 0.0204
    while (left := due - time.monotonic()) > 0:
        fired = loop.create_future()
        loop.call_later(left, fired.set_result, None)
        await fired
        wakes += 1
    return wakes


print("uvloop", uvloop.__version__)
early = {}
for delay in (0.0004, 0.0014):
    waits = [run(new(), shortest(delay)) for new in (asyncio.new_event_loop, uvloop.new_event_loop)]
    early[delay] = [wait < delay for wait in waits]
    print(f"a timer of {delay * 1e3:.1f} ms: shortest of 100 {waits[0] * 1e3:.3f} ms on asyncio, {waits[1] * 1e3:.3f} ms on uvloop")
wakes = [max(run(new(), wakes_until_due) for _ in range(10)) for new in (asyncio.new_event_loop, uvloop.new_event_loop)]
print(f"wakes until 20.4 ms are over: at most {wakes[0]} on asyncio, {wakes[1]} on uvloop")

as_seen = all(seen == [False, True] for seen in early.values()) and wakes[0] == 1 and wakes[1] > 1
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
