#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The systemd unit is one that systemd takes, drop-in included, and hands out no capability beyond
# those documented.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
unit=$here/config/systemd/trunklined.service
if ! command -v systemd-analyze >/dev/null; then
	echo "SKIP systemd: no systemd-analyze here"
	exit 0
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/trunklined.service.d"
# what it starts need not be installed here, nor the user be there
sed -e 's:^ExecStart=/usr/sbin/trunklined:ExecStart=/bin/true:' \
	-e 's:^User=.*:User=nobody:' -e 's:^Group=.*:Group=nogroup:' \
	-e '/^Documentation=man:/d' "$unit" >"$root/trunklined.service"
verify() {
	out=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --recursive-errors=no \
		"$root/trunklined.service" 2>&1) || status=$?
	# only what is said about our own unit counts
	said=$(printf '%s\n' "$out" | grep 'trunklined' || true)
	[ -z "$said" ] || { echo "FAIL systemd: $1: $said"; exit 1; }
	echo "PASS systemd: $1"
}
verify "trunklined.service"
cp "$here/config/systemd/trunklined.service.d/af-xdp.conf.example" \
	"$root/trunklined.service.d/af-xdp.conf"
verify "trunklined.service with AF_XDP"
cp "$here/config/systemd/trunklined.service.d/ike.conf.example" "$root/trunklined.service.d/ike.conf"
verify "trunklined.service with IKE"
# the check can fail
echo "NoSuchSetting=yes" >>"$root/trunklined.service"
out=$(systemd-analyze verify --recursive-errors=no "$root/trunklined.service" 2>&1 || true)
case $out in
*NoSuchSetting*) echo "PASS systemd: a mistake in the unit is seen" ;;
*) echo "FAIL systemd: verify does not see a mistake"; exit 1 ;;
esac
