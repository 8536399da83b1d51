#!/usr/bin/env bash
# Ten timers of one instant run in the order 0 2 6 9 8 5 7 4 1 3 on asyncio, and in the order set on uvloop.
#
# Expected: of two timers that are due at the same instant, the one that was set first runs first. Every event loop
# that a program is moved to is expected to keep that, and uvloop is meant as a replacement in place.
# Seen with CPython 3.11 and 3.13 and uvloop 0.23.0: asyncio keeps its timers in a binary heap that compares nothing but
# the time. Equal times leave it in the order that the heap happens to have. That order is the same in each run, so a
# test may rest on it for years, and changes with one timer more. Three timers keep their order, four do not.
# uvloop hands its timers to libuv, which breaks ties by a count.
# Who replays a trace, or models a network where two packets arrive at once, must add a count of his own.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install uvloop==0.23.0

"$place/venv/bin/python" - <<'PY'
import asyncio
import platform

import uvloop


def order(loop, count):
    ran = []
    everything = loop.create_future()

    def run(number):
        ran.append(number)
        if len(ran) == count:
            everything.set_result(None)

    async def main():
        instant = loop.time() + 0.05
        for number in range(count):
            loop.call_at(instant, run, number)
        await everything

    loop.run_until_complete(main())
    loop.close()
    return ran


print("CPython", platform.python_version(), "uvloop", uvloop.__version__)
seen = {}
for count in (3, 4, 10):
    seen[count] = order(asyncio.new_event_loop(), count), order(uvloop.new_event_loop(), count)
    print(f"{count} timers of one instant: asyncio {seen[count][0]}, uvloop {seen[count][1]}")

fifo = {count: list(range(count)) for count in seen}
changed = any(seen[count][1] != fifo[count] for count in seen)
changed |= seen[3][0] != fifo[3] or seen[10][0] != [0, 2, 6, 9, 8, 5, 7, 4, 1, 3]
raise SystemExit("the behaviour has changed" if changed else 0)
PY
