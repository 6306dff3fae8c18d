#!/bin/sh
# The browser tests drive Debian's Chromium. As root it is installed; else one line says how.
set -eu
command -v chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing chromium for the browser tests ..."
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
else
  echo "browser tests are skipped: 'sudo apt-get install chromium' brings them in" >&2
fi
