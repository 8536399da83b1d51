#!/usr/bin/env bash
# Who subscribes twice and unsubscribes once still gets messages from ZeroMQ and none from nng; full, they drop opposite ends.
#
# Expected: two libraries of one family, with sockets of the same names, agree about publish and subscribe.
# Seen with pyzmq 27.3.0 and pynng 0.9.0: ZeroMQ counts how often a topic was subscribed to, nng keeps a set. Two parts
# of a program that share a socket must each unsubscribe on ZeroMQ, and must not on nng.
# A subscriber that does not keep up, after 5,000 messages: ZeroMQ has kept the oldest ones, the first among them, and
# has thrown away all that came later; nng has kept some 130, nearly all of them the newest. What is right for a log is wrong for a
# price: on ZeroMQ the reader that has caught up believes in the state of long ago until the next message.
# Neither publisher is told that anything was lost.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install pyzmq==27.3.0 pynng==0.9.0

"$place/venv/bin/python" - <<'PY'
import importlib.metadata
import time

import pynng
import zmq

context = zmq.Context()
zmq_publisher, zmq_subscriber = context.socket(zmq.PUB), context.socket(zmq.SUB)
zmq_publisher.bind("inproc://news")
zmq_subscriber.connect("inproc://news")
zmq_subscriber.rcvtimeo = 300
nng_publisher = pynng.Pub0(listen="inproc://news")
nng_subscriber = pynng.Sub0(dial="inproc://news", recv_timeout=300)


def received(subscriber):
    messages = []
    try:
        while True:
            messages.append(subscriber.recv())
    except (zmq.Again, pynng.Timeout):
        return messages


seen = {}
for library, publisher, subscriber in (
    ("pyzmq", zmq_publisher, zmq_subscriber),
    ("pynng", nng_publisher, nng_subscriber),
):
    subscriber.subscribe(b"a")
    subscriber.subscribe(b"a")
    subscriber.unsubscribe(b"a")
    time.sleep(0.3)
    publisher.send(b"a message")
    after_one = received(subscriber)
    subscriber.subscribe(b"n")
    time.sleep(0.3)
    for number in range(5000):
        publisher.send(b"n%d" % number)
    kept = [int(message[1:]) for message in received(subscriber)]
    print(f"{library} {importlib.metadata.version(library)}: subscribed twice, unsubscribed once, got {after_one}")
    print(f"    of the messages 0 to 4999 it kept {len(kept)}, {kept[0]} to {kept[-1]}")
    seen[library] = after_one, kept
as_seen = seen["pyzmq"][0] == [b"a message"] and seen["pynng"][0] == []
as_seen &= seen["pyzmq"][1][0] == 0 and seen["pyzmq"][1][-1] < 4000
as_seen &= len(seen["pynng"][1]) < 1000 and seen["pynng"][1][-1] == 4999
context.destroy(linger=0)
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
