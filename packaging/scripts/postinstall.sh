#!/bin/sh
# The service's account and its folders. The service itself is neither enabled nor started.
set -e
getent group signalbox >/dev/null || groupadd --system signalbox
getent passwd signalbox >/dev/null || useradd --system --gid signalbox --home-dir /var/lib/signalbox --no-create-home \
    --shell /usr/sbin/nologin signalbox
# The journal is written by the service and by members of the group: the folder hands its group on.
install -d -m 2770 -o signalbox -g signalbox /var/lib/signalbox /var/lib/signalbox/journal
install -d -m 0750 -o root -g signalbox /etc/signalbox
# Secrets, one file each, for the service's account alone.
install -d -m 0700 -o signalbox -g signalbox /etc/signalbox/credentials
if [ ! -e /etc/signalbox/settings.toml ]; then
    printf '# Settings of the Signalbox service.\n\n[journal]\nlog_file = "/tmp/ftrack_event_server.log"\n' \
        >/etc/signalbox/settings.toml
    chown root:signalbox /etc/signalbox/settings.toml
    chmod 0660 /etc/signalbox/settings.toml
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
