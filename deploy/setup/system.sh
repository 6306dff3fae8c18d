#!/bin/sh
# Brings in what only the system can give: Python's venv module and, for tests, Chromium.
# usage: system.sh PYTHON VENV [test]
# As root on Debian it installs them; else one line names every package that is missing.
# Exit status 1: it cannot go on without what that line names.
set -eu
python=$1
venv=$2
purpose=${3:-run}

needed=
wanted=
if [ ! -x "$venv/bin/pip" ]; then
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "VMS needs Python 3.11 or newer as '$python': install it, or set PYTHON=/path/to/python3" >&2
    exit 1
  fi
  "$python" -c 'import ensurepip, venv' 2>/dev/null || needed=python3-venv
fi
if [ ! -e web/node_modules/.installed ]; then
  node=$(node --version 2>/dev/null || echo none)
  if ! node -e 'const [a, b] = process.versions.node.split(".");
      process.exit(+a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null ||
    ! npm --version >/dev/null 2>&1; then
    echo "VMS needs Node.js 20.19+, 22.12+ or newer, with npm, to build the web client (found: $node):" \
      "install it from https://nodejs.org/en/download" >&2
    exit 1
  fi
fi
if [ "$purpose" = test ] && [ -z "${VMS_TEST_CHROMIUM:-}" ] &&
  ! command -v chromium >/dev/null 2>&1 && ! command -v chromium-browser >/dev/null 2>&1; then
  wanted=chromium
fi
packages=$(echo $needed $wanted)
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing system packages: $packages ..."
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  if apt-get update -qq >"$log" 2>&1 &&
    apt-get install -y -qq --no-install-recommends $packages >>"$log" 2>&1; then
    exit 0
  fi
  tail -n 20 "$log" >&2
  echo "could not install: $packages (what apt-get said is above)" >&2
elif [ -n "$needed" ]; then
  echo "missing packages: run 'sudo apt-get install $packages' and try again" >&2
else
  echo "browser tests are skipped: 'sudo apt-get install $packages' brings them in" >&2
fi
[ -z "$needed" ]
