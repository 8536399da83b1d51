#!/usr/bin/env bash
# gRPC for Python says of a call without a deadline that 9.2e18 seconds are left; on asyncio it says None.
#
# Expected: `context.time_remaining()` returns None if the caller set no deadline, as its own text says.
# Seen with grpcio 1.85.3: the server on threads returns a float of about 9.223e18 seconds, which is the end of the
# C core's time less the present. The server of `grpc.aio`, in the same package, returns None for the same call.
# So on threads the test for a missing deadline never holds, and the number goes wherever remaining time goes: as a
# `timedelta`, and as the time-out of an event, it is an OverflowError. Moved to asyncio, the same handler
# finds None where it has always had a float.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install grpcio==1.85.3

"$place/venv/bin/python" - <<'PY'
import asyncio
import datetime
import threading
from concurrent import futures

import grpc


def failure(act):
    try:
        return act() and None
    except Exception as error:
        return type(error).__name__


class Anything(grpc.GenericRpcHandler):
    def __init__(self):
        self.left = None

    def service(self, details):
        def answer(request, context):
            self.left = context.time_remaining()
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


def told(channel_of, **deadline):
    with grpc.insecure_channel(channel_of) as channel:
        channel.unary_unary("/x.Y/Z")(b"", **deadline)


print("grpcio", grpc.__version__)
print("documented:", " ".join(grpc.ServicerContext.time_remaining.__doc__.split())[-52:])
plain = Anything()
server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[plain])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
told(f"127.0.0.1:{port}")
none = plain.left
told(f"127.0.0.1:{port}", timeout=10)
server.stop(None)


async def with_asyncio():
    aio = Anything()
    server = grpc.aio.server(handlers=[aio])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await asyncio.to_thread(told, f"127.0.0.1:{port}")
    await server.stop(None)
    return aio.left


aio = asyncio.run(with_asyncio())
print(f"without a deadline {none!r} on threads, {aio!r} on asyncio; with one of 10 s {plain.left:.2f}")
as_timedelta = failure(lambda: datetime.timedelta(seconds=none))
as_wait = failure(lambda: threading.Event().wait(none))
print(f"as a timedelta: {as_timedelta}; as the time-out of an event: {as_wait}")
as_seen = none > 9e18 and aio is None and 5 < plain.left < 11 and as_timedelta == as_wait == "OverflowError"
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
