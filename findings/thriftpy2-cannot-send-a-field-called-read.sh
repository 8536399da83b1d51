#!/usr/bin/env bash
# thriftpy2 loads a struct with a field `write` and cannot send it; one with a field `read` it sends and cannot receive.
#
# Expected: fields are called what the interface says, or the interface is refused. `read: bool` is what mail has.
# Seen with thriftpy2 0.7.1: fields become attributes of the object, and its way to and from the wire are two methods with
# those very names. A field `write` hides the one, and sending fails with "'bool' object is not callable". A field
# `read` hides the other, so that the sender is content and the receiver fails, before the first byte has been looked at.
# It is the same with the binary and the compact protocol, and whether the field has a value or not. As long as the
# receiver is written in another language, nothing is wrong.
# Python's own keywords were thought of: a field `from` is refused when the interface is loaded.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install thriftpy2==0.7.1
cat >mail.thrift <<'THRIFT'
struct Seen { 1: bool seen, 2: string text }
struct Read { 1: bool read, 2: string text }
struct Write { 1: bool write, 2: string text }
THRIFT
echo "struct Letter { 1: string from }" >keyword.thrift

venv/bin/python - <<'PY'
import importlib.metadata

import thriftpy2
from thriftpy2.parser.exc import ThriftParserError
from thriftpy2.protocol import TBinaryProtocolFactory, TCompactProtocolFactory
from thriftpy2.utils import deserialize, serialize


def attempt(act):
    try:
        return act()
    except TypeError as error:
        return str(error)


interface = thriftpy2.load("mail.thrift", module_name="mail_thrift")
print("thriftpy2", importlib.metadata.version("thriftpy2"))
seen = []
for protocol in (TBinaryProtocolFactory(), TCompactProtocolFactory()):
    bytes_of_any = serialize(interface.Seen(True, "hi"), protocol)
    for struct in (interface.Seen, interface.Read, interface.Write):
        sent = attempt(lambda: serialize(struct(True, "hi"), protocol) == bytes_of_any)
        received = attempt(lambda: deserialize(struct(), bytes_of_any, protocol) == struct(True, "hi"))
        print(f"{struct.__name__}, {type(protocol).__name__}: sent {sent}, received {received}")
        seen.append((sent, received))
try:
    thriftpy2.load("keyword.thrift", module_name="keyword_thrift")
    keyword = "taken"
except ThriftParserError as error:
    keyword = f"refused with {type(error).__name__}"
print(f"a field called from: {keyword}")
hidden = [(True, True), (True, "'NoneType' object is not callable"), ("'bool' object is not callable", True)]
raise SystemExit(0 if seen == hidden * 2 and keyword.startswith("refused") else "the behaviour has changed")
PY
