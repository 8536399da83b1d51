#!/usr/bin/env bash
# A client that sends 3 MB and closes delivers all of it over TLS 1.2, and a part of it over TLS 1.3, without an error.
#
# Expected: what was written before `close` arrives, as long as both programs and the network live.
# Seen with CPython's ssl and OpenSSL 3: a server of TLS 1.3 sends two session tickets behind the handshake, unasked. A
# client that only writes (a log shipper, a metrics pusher) never reads them. Linux answers the closing of a socket that
# holds unread bytes with a reset instead of an end, and throws away what the client's socket had still to send. `sendall`
# and `close` have succeeded. The server has some 100 KB, and Python shows it the reset as the end of the stream.
# TLS 1.2 sends its tickets within the handshake. With no tickets, or a client that waits for the server's end (`unwrap`), all of it
# arrives over 1.3 too. So it is the update of a library, or of a default, that begins to cut transfers.
#
# Needs Linux and Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install trustme==1.2.1

venv/bin/python - <<'PY'
import contextlib
import socket
import ssl
import threading
import time

import trustme

authority = trustme.CA()
client_side = ssl.create_default_context()
authority.configure_trust(client_side)
sent = bytes(3_000_000)


def transfer(version, tickets=2, waits=False):
    """Sends, closes, and returns how many bytes the server got before the end."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_side)
    server_side.minimum_version = server_side.maximum_version = version
    server_side.num_tickets = tickets
    received = []

    def serve():
        with server_side.wrap_socket(listener.accept()[0], server_side=True) as connection:
            time.sleep(0.5)
            while data := connection.recv(65536):
                received.append(len(data))
            with contextlib.suppress(OSError):
                connection.unwrap()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        raw = socket.create_connection(listener.getsockname())
        connection = client_side.wrap_socket(raw, server_hostname="localhost")
        connection.sendall(sent)
        if waits:
            connection.unwrap()
        connection.close()
        server.join()
    return sum(received)


print(ssl.OPENSSL_VERSION)
v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
seen = {
    "1.2": transfer(v12),
    "1.3": transfer(v13),
    "1.3 without tickets": transfer(v13, tickets=0),
    "1.3 with a client that waits": transfer(v13, waits=True),
}
for case, count in seen.items():
    print(f"TLS {case}: {count} of {len(sent)} bytes")
as_seen = [count == len(sent) for count in seen.values()] == [True, False, True, True]
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
