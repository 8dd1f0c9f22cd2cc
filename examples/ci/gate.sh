#!/usr/bin/env bash
# Starts a service, load-tests it, ends it, and returns the load test's exit code: 0 all bounds are
# kept, 1 one is broken, 2 wrong usage, 3 something is missing; 130 and 143, when the script is
# interrupted or ended, after both have been ended, too. Arguments go to `stride loadtest`:
#
#     examples/ci/gate.sh --scenario gate.toml --baseline results/baseline.jsonl
#
# STRIDE            the command, `stride` by default
# STRIDE_SERVE      arguments of `stride serve`, such as "--repository artifacts --model small=..."
# STRIDE_GATE_LOGS  folder for what both say and for the records, `gate-logs` by default
# STRIDE_GATE_WAIT  seconds that models may take to be ready, 300 by default
set -euo pipefail

stride=${STRIDE:-stride}
logs=${STRIDE_GATE_LOGS:-gate-logs}
wait=${STRIDE_GATE_WAIT:-300}
[[ $wait =~ ^[1-9][0-9]*$ ]] || {
    echo "gate: STRIDE_GATE_WAIT is '$wait', expected whole seconds such as 300" >&2
    exit 2
}
mkdir -p "$logs"

# shellcheck disable=SC2086  # several words are meant
"$stride" serve --port 0 ${STRIDE_SERVE:-} >"$logs/serve.log" 2>&1 &
service=$!

load=

stop() {  # by their own process ids, whatever else runs here; each finishes what it has begun
    for process in $load "$service"; do
        kill -TERM "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

give_up() {
    echo "gate: $1; the end of $logs/serve.log:" >&2
    tail -n 20 "$logs/serve.log" >&2
    exit 3
}

ready() { curl --silent --fail --max-time 5 --output /dev/null "$url/readyz"; }

until=$((SECONDS + wait))
url=
until [ -n "$url" ] && ready; do
    kill -0 "$service" 2>/dev/null || give_up "the service has ended"
    [ "$SECONDS" -lt "$until" ] || give_up "the service is not ready after $wait s"
    sleep 0.2
    url=$(sed -n 's/.*listening url=\([^ ",]*\).*/\1/p' "$logs/serve.log" | tail -n 1)
done
echo "gate: $url is ready" >&2

# In the background: bash would keep a signal to this script until what is in front of it ends.
exec 3> >(tee -i "$logs/loadtest.log")
tee=$!
"$stride" loadtest --url "$url" --results "$logs" "$@" >&3 2>&1 3>&- &
load=$!
exec 3>&-
code=0
wait "$load" || code=$?
load=
wait "$tee" || true
echo "gate: exit code $code, logs and records in $logs" >&2
exit "$code"
