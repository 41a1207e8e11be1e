#!/usr/bin/env bash
# The real servers that tests use, from Debian packages; none of them is started. `make services` runs this.
# A machine that has them all is left alone; only what is absent is installed, as root or through sudo.
set -euo pipefail

packages=(slapd ldap-utils rsyslog rsyslog-gnutls openssh-server nginx-light postgresql chromium fonts-noto-cjk sudo openssl)
policy=/usr/sbin/policy-rc.d

absent=()
for package in "${packages[@]}"; do
  dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' || absent+=("$package")
done
if [ ${#absent[@]} -eq 0 ]; then
  echo "all servers are installed"
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "needs root to install: ${absent[*]}" >&2; exit 1; }
  exec sudo bash "$0"
fi

# Debian starts what it installs, on default ports: a policy of 101 forbids that while we install, and is taken back after.
kept=
restore() { rm -f "$policy"; if [ -n "$kept" ]; then mv "$kept" "$policy"; fi; }
if [ -e "$policy" ] || [ -L "$policy" ]; then
  kept="$policy.before-soc"
  mv "$policy" "$kept"
fi
trap restore EXIT
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -q --no-install-recommends "${absent[@]}"; }
if ! apt-cache show "${absent[@]}" >/dev/null 2>&1; then apt-get update -q; fi
install || { apt-get update -q && install; }
