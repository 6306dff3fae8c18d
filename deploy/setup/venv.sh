#!/bin/sh
# Makes the virtual environment, and says in one line what is missing if it cannot.
set -eu
python=$1
venv=$2
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "VMS needs Python 3.11 or newer as '$python'; set PYTHON=/path/to/python3" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
  else
    echo "missing package: run 'sudo apt-get install python3-venv' and try again" >&2
    exit 1
  fi
fi
"$python" -m venv "$venv"
