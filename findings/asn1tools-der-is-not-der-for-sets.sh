#!/usr/bin/env bash
# asn1tools writes a SET OF in DER in the order of the list, so that equal sets have different bytes; pyasn1 sorts.
#
# Expected: DER has one encoding for each value. That is what it is for: the bytes are signed and compared.
# Seen with asn1tools 0.169.0, pyasn1 0.6.5 and asn1crypto 1.5.1: of the set 3, 1, 2 the codec "der" of asn1tools writes
# 3, 1, 2. The other two write 1, 2, 3, as DER demands. The members of a SET, which DER sorts by their tags, stay in the
# order of the specification's text too. pyasn1 reads such bytes without a complaint, since
# it does not look at the order; so a signature fails somewhere else, once somebody decodes and encodes again.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install asn1tools==0.169.0 pyasn1==0.6.5 asn1crypto==1.5.1

"$place/venv/bin/python" - <<'PY'
import importlib.metadata

import asn1tools
from asn1crypto import core
from pyasn1.codec.der import decoder, encoder
from pyasn1.type import univ

der = asn1tools.compile_string(
    """Sets DEFINITIONS IMPLICIT TAGS ::= BEGIN
         Numbers ::= SET OF INTEGER
         Pair ::= SET { first [1] INTEGER, second [0] INTEGER }
       END""",
    "der",
)


class Numbers(core.SetOf):
    _child_spec = core.Integer


def with_pyasn1(numbers):
    value = univ.SetOf(componentType=univ.Integer())
    value.extend(numbers)
    return encoder.encode(value).hex()


print(*(f"{name} {importlib.metadata.version(name)}" for name in ("asn1tools", "pyasn1", "asn1crypto")))
seen = {}
for numbers in ([1, 2, 3], [3, 1, 2]):
    seen[tuple(numbers)] = (
        der.encode("Numbers", numbers).hex(),
        with_pyasn1(numbers),
        Numbers(numbers).dump().hex(),
    )
    print("the set {}: asn1tools {}, pyasn1 {}, asn1crypto {}".format(numbers, *seen[tuple(numbers)]))
pair = der.encode("Pair", {"first": 1, "second": 2}).hex()
back, _ = decoder.decode(bytes.fromhex(seen[3, 1, 2][0]), asn1Spec=univ.SetOf(componentType=univ.Integer()))
print(f"a SET with the tags 1 and 0: {pair}; pyasn1 reads {[int(n) for n in back]}")
sorted_bytes, unsorted_bytes = "3109020101020102020103", "3109020103020101020102"
as_seen = seen == {(1, 2, 3): (sorted_bytes,) * 3, (3, 1, 2): (unsorted_bytes, sorted_bytes, sorted_bytes)}
as_seen &= pair == "3106810101800102" and [int(number) for number in back] == [3, 1, 2]
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
