#!/usr/bin/env bash
# Builds the server, installs the npm client at its pinned version, and compares what the client recorded with
# what the server answers. Needs Node.js and npm.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
(cd "$here/../../.." && go build -o "$work/pulse" ./cmd/pulse)
cp "$here/package.json" "$here/check.js" "$work/"
(cd "$work" && npm install --silent --no-audit --no-fund 2>/dev/null)
port=$(node -e 'const s=require("net").createServer();s.listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
"$work/pulse" --listen "127.0.0.1:$port" --data "" --durability none --step "${STEP:-1s}" --log-level error &
server=$!
node "$work/check.js" "http://127.0.0.1:$port"
