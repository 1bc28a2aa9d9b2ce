#!/usr/bin/env bash
# Debian packages that tests and measurements use. Installs what is missing when it may; says loudly what stays missing.
set -euo pipefail
PATH=$PATH:/usr/sbin
declare -A program=(
  [bubblewrap]=bwrap [postgresql]=postgres [chromium]=chromium [fonts-liberation]=fc-list [wrk]=wrk [procps]=ps [util-linux]=setpriv [nodejs]=node [npm]=npm [nftables]=nft [rsyslog]=rsyslogd
  [r-cran-rsconnect]=/usr/lib/R/site-library/rsconnect/DESCRIPTION
)
missing=()
for package in "${!program[@]}"; do
  name=${program[$package]}
  command -v "$name" >/dev/null || [ -e "$name" ] || ls /usr/lib/postgresql/*/bin/"$name" >/dev/null 2>&1 || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
  as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  echo "Installing ${missing[*]} …" >&2
  export DEBIAN_FRONTEND=noninteractive
  if "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then exit 0; fi
  [ "${CI:-}" = true ] && { echo "apt-get could not install: ${missing[*]}" >&2; exit 1; }
fi
echo "NOT EXERCISED without these Debian packages: ${missing[*]} (run: sudo apt install ${missing[*]})" >&2
