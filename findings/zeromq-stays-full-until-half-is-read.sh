#!/usr/bin/env bash
# A full ZeroMQ queue of 20 takes nothing after 9 messages have been read, and ten at once after the tenth.
#
# Expected: a queue that is full has room for one message as soon as one has been read. Whoever sends without blocking and
# keeps what is refused expects to get rid of one message for each that was taken.
# Seen with pyzmq 27.3.0: two sockets in one process, each with a limit of 10. The limits add up, so 20 messages
# are accepted. Then the reader tells the writer what it has read in batches of half its limit. So the sender is refused for as
# long as there are 9 places, and the poller calls the socket not writable. A reader that wants to see one more message before
# it goes on, and has read 9, may wait for a sender that waits for him.
# With a limit of 1 on each side the batch is 1, and each message that is read makes room for one.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install pyzmq==27.3.0

"$place/venv/bin/python" - <<'PY'
import time

import zmq


def steps(limit):
    context = zmq.Context()
    reader, writer = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    reader.rcvhwm = writer.sndhwm = limit
    reader.bind("inproc://queue")
    writer.connect("inproc://queue")

    def fill():
        count = 0
        while writer.poll(50, zmq.POLLOUT):
            writer.send(b"message", zmq.NOBLOCK)
            count += 1
        return count

    accepted = [fill()]
    for _ in range(2 * limit):
        reader.recv(zmq.NOBLOCK)
        time.sleep(0.02)
        accepted.append(fill())
    context.destroy(linger=0)
    return accepted


print("pyzmq", zmq.__version__, "libzmq", zmq.zmq_version())
seen = {limit: steps(limit) for limit in (1, 10)}
for limit, accepted in seen.items():
    print(f"limits of {limit} and {limit}: accepted {accepted[0]}, then after each message that was read {accepted[1:]}")
half = [0] * 9 + [10]
raise SystemExit(0 if seen == {1: [2, 1, 1], 10: [20] + half * 2} else "the behaviour has changed")
PY
