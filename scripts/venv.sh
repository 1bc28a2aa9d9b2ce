#!/usr/bin/env bash
# Make .venv from the pinned, hashed requirements: `venv.sh demo` or `venv.sh test`. Does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
say() { printf '%s\n' "$*" >&2; }

[ "$(uname -s)" = Linux ] || { say "Pilothouse runs on Linux. Run this on a Linux machine, a virtual machine or WSL 2."; exit 1; }

python=
for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
  [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
  "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { python=$candidate; break; }
done
[ -n "$python" ] || { say "Pilothouse needs Python 3.11 or newer. Install it (Debian, Ubuntu: apt install python3 python3-venv) and run this again."; exit 1; }

stamp=.venv/.made-from
wanted="$kind $("$python" -V 2>&1) $(cat requirements/*.txt pyproject.toml | sha256sum | cut -d' ' -f1)"
if [ -x .venv/bin/pilothouse ] && [ -f $stamp ] && grep -qxF "$wanted" $stamp; then exit 0; fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  package="python3-venv"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing $package …"; apt-get update -qq && apt-get install -y -qq "$package" >/dev/null
  else
    say "Python's venv module is missing. Run: sudo apt install $package"; exit 1
  fi
fi

say "Preparing .venv ($kind) …"
[ -x .venv/bin/python ] || "$python" -m venv .venv
unset PYTHONDONTWRITEBYTECODE
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$kind.txt" >.venv/pip.log 2>&1; then
  tail -n 5 .venv/pip.log >&2
  say "The packages could not be installed. Is the network there, or a package mirror configured for pip? Then run this again."; exit 1
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >>.venv/pip.log 2>&1
[ "$kind" = test ] && printf '%s\n' "demo ${wanted#test }" > $stamp || : > $stamp
printf '%s\n' "$wanted" >> $stamp
