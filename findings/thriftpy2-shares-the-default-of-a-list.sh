#!/usr/bin/env bash
# thriftpy2 gives all structs one and the same list as a default, so that what one peer's request adds is sent to the next.
#
# Expected: a struct whose interface says `list<string> tags = ["new"]` begins with a list of its own.
# Seen with thriftpy2 0.7.1: the list is made once, when the interface is loaded, and every new struct points to it. So do
# structs that were read from bytes that lack the field. Appending to one changes all the others, those to come too, and
# a new, untouched struct is sent with what others have added. A default that is itself a struct is shared in the same
# way. Nothing shows it while programs assign lists and never change them.
# (Python's own functions share their defaults too. Here the default stands in an interface file.)
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install thriftpy2==0.7.1
cat >mail.thrift <<'THRIFT'
struct Sender { 1: string name = "nobody" }
struct Mail { 1: string text, 2: list<string> tags = ["new"], 3: Sender sender = {"name": "nobody"} }
THRIFT

venv/bin/python - <<'PY'
import importlib.metadata

import thriftpy2
from thriftpy2.utils import deserialize, serialize

interface = thriftpy2.load("mail.thrift", module_name="mail_thrift")
print("thriftpy2", importlib.metadata.version("thriftpy2"))
without_tags = serialize(interface.Mail(text="read", tags=None, sender=None))
first = interface.Mail(text="first")
first.tags.append("urgent")
first.sender.name = "somebody"
second = interface.Mail(text="second")
sent = deserialize(interface.Mail(tags=None, sender=None), serialize(second))
read = deserialize(interface.Mail(), without_tags)
print(f"a new struct: {second}")
print(f"as it is sent: {sent}")
print(f"read from bytes without the field: tags {read.tags}")
as_seen = all(mail.tags == ["new", "urgent"] for mail in (second, sent, read)) and sent.sender.name == "somebody"
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
