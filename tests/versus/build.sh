#!/bin/sh
# Builds ours, and each foreign system that can be built here; the runner leaves out the others.
cd "$(dirname "$0")" || exit 1
cargo build --release || exit 1
for system in tarpc capnp tonic; do
    cargo build --release -p "versus-$system" || echo "$system cannot be built here: see install.sh"
done
