#!/bin/sh
# Installs what the foreign systems need, on Debian and its relatives. Run as root.
set -e
apt-get install -y --no-install-recommends protobuf-compiler capnproto redis-server
