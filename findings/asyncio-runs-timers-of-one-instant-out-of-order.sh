#!/usr/bin/env bash
# Ten timers of one instant run in the order 0 2 6 9 8 5 7 4 1 3 on asyncio, and in the order set on SimPy.
#
# Expected: of two timers that are due at the same instant, the one that was set first runs first, as in any simulator.
# Seen with CPython 3.11 and 3.13 and SimPy 4.1.2: asyncio keeps its timers in a binary heap that compares nothing but
# the time. Equal times leave it in the order that the heap happens to have. That order is the same in each run, so a
# test may rest on it for years, and changes with one timer more. Three timers keep their order, four do not.
# SimPy has a heap too, and a count that breaks ties.
# Who replays a trace, or models a network where two packets arrive at once, must add such a count to asyncio's timers.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install simpy==4.1.2

"$place/venv/bin/python" - <<'PY'
import asyncio
import importlib.metadata
import platform

import simpy


def with_asyncio(count):
    ran = []
    loop = asyncio.new_event_loop()

    def run(number):
        ran.append(number)
        if len(ran) == count:
            loop.stop()

    instant = loop.time() + 0.05
    for number in range(count):
        loop.call_at(instant, run, number)
    loop.run_forever()
    loop.close()
    return ran


def with_simpy(count):
    ran = []
    world = simpy.Environment()
    for number in range(count):
        world.timeout(0.05, number).callbacks.append(lambda event: ran.append(event.value))
    world.run()
    return ran


print("CPython", platform.python_version(), "SimPy", importlib.metadata.version("simpy"))
seen = {count: (with_asyncio(count), with_simpy(count)) for count in (3, 4, 10)}
for count, orders in seen.items():
    print(f"{count} timers of one instant: asyncio {orders[0]}, SimPy {orders[1]}")
as_seen = all(orders[1] == list(range(count)) for count, orders in seen.items())
as_seen &= [orders[0] for orders in seen.values()] == [[0, 1, 2], [0, 2, 1, 3], [0, 2, 6, 9, 8, 5, 7, 4, 1, 3]]
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
