#!/usr/bin/env bash
# A Unix stream socket that nobody reads takes 278 writes of one byte; a TCP connection on the loopback takes millions.
#
# Expected: a send buffer of 208 KiB takes about 200,000 bytes, in pieces of whatever size.
# Seen with Linux 6.18: on a Unix socket each write is a buffer of its own, is charged with 768 bytes for its
# administration, and is never joined with the one before it, though a stream has no borders between messages. TCP
# joins small writes into one buffer, and its own buffers grow. So a program whose frames are small and that works over
# TCP meets a full socket after 278 unread frames as soon as it is moved to a Unix socket, with one thousandth of the bytes
# that it has asked for by SO_SNDBUF. Two programs that both write 300 small frames before they read wait for each other
# for ever. Frames that are collected and written together do not: 4,096 bytes at a time fill the buffer.
#
# Needs Linux and Python 3.10 or later. Fails if the behaviour changes.
set -euo pipefail
python3 - <<'PY'
import platform
import socket


def unix():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 106_496)
    return left, right


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        return left, listener.accept()[0]


def bytes_taken(pair, size):
    left, right = pair
    left.setblocking(False)
    taken = 0
    try:
        while True:
            taken += left.send(b"x" * size)
    except BlockingIOError:
        return taken


print("Linux", platform.release().split("-")[0])
seen = {}
for size in (1, 100, 4096):
    seen[size] = bytes_taken(unix(), size), bytes_taken(tcp(), size)
    print(f"writes of {size}: the Unix socket takes {seen[size][0]} bytes, TCP {seen[size][1]}")
as_seen = seen[1][0] < 500 and seen[100][0] < 50_000 and seen[4096][0] > 100_000 and seen[1][1] > 500_000
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
