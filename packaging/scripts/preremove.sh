#!/bin/sh
# An upgrade leaves the running service alone ("upgrade" on Debian, 1 on RPM); a removal ends it.
set -e
case "${1:-remove}" in
    remove | 0) if [ -d /run/systemd/system ]; then systemctl disable --now signalbox.service || true; fi ;;
esac
