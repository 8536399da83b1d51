#!/usr/bin/env bash
# 100,000 UUIDs of version 7 that uuid6 makes in a second are dated up to 100 seconds ahead; those of uuid7, into the year 2146.
#
# Expected: the first 48 bits of such an id are the millisecond in which it was made: that is what version 7 is for.
# Seen with uuid6 2025.0.1, uuid7 0.1.0 and uuid-utils 1.2.0: uuid6 gives every id a millisecond of its own. If the present
# one is taken it takes the one behind the last id, so that more than 1,000 ids a second run ahead of the clock, without
# a bound. Ids that another process makes a minute later sort before them, and so do those of this one after a restart. uuid7 follows an
# early draft, with seconds in 36 bits: its ids bear the same version, and sort behind all others for 120 years.
# uuid-utils counts within the millisecond. All three promise ids that sort by time, and each alone does.
#
# Needs Python 3.10 or later with pip and venv. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install uuid6==2025.0.1 uuid7==0.1.0 uuid-utils==1.2.0

"$place/venv/bin/python" - <<'PY'
import importlib.metadata
import time

import uuid6
import uuid_extensions
import uuid_utils

packages = {"uuid6": uuid6.uuid7, "uuid7": uuid_extensions.uuid7, "uuid-utils": uuid_utils.uuid7}
ahead = {}
as_seen = True
for package, make in packages.items():
    ids = [make() for _ in range(100_000)]
    ahead[package] = (ids[-1].int >> 80) / 1000 - time.time()
    as_seen &= ids == sorted(ids) and ids[0].version == 7
    print(f"{package} {importlib.metadata.version(package)}: the last id is dated {ahead[package]:,.1f} s ahead")
later = uuid_utils.uuid7().int > uuid6.uuid7().int
print("the next id of uuid-utils sorts behind those of uuid6:", later)
year = 365.25 * 24 * 3600
as_seen &= not later and 20 < ahead["uuid6"] < 100 and abs(ahead["uuid-utils"]) < 1 and ahead["uuid7"] > 100 * year
raise SystemExit(0 if as_seen else "the behaviour has changed")
PY
