"""A desktop's tray and its notifications on a D-Bus of its own, as far as a program sees them.

Run as a process with ``DBUS_SESSION_BUS_ADDRESS`` set. Prints a JSON line for what a person would see:
``{"ready": true}`` once the tray is there, ``{"icon": service}``, ``{"title": ..., "text": ...}`` for a notification.
"""

from __future__ import annotations

import json
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_error, new_method_call, new_method_return
from jeepney.io.blocking import DBusConnection, open_dbus_connection

WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFICATIONS = "org.freedesktop.Notifications"
PROPERTIES = "org.freedesktop.DBus.Properties"
INTROSPECTION = f"""<node><interface name="{WATCHER}">
<property name="IsStatusNotifierHostRegistered" type="b" access="read"/>
<property name="ProtocolVersion" type="i" access="read"/>
<method name="RegisterStatusNotifierItem"><arg type="s" direction="in"/></method>
</interface></node>"""


def say(**what: Any) -> None:
    """A line for the test."""
    print(json.dumps(what), flush=True)


def answer(message: Message) -> Message:
    """What a desktop answers to a call."""
    fields, body = message.header.fields, message.body
    match fields.get(HeaderFields.interface, ""), fields[HeaderFields.member]:
        case _, "Introspect":
            return new_method_return(message, "s", (INTROSPECTION,))
        case interface, "Get" if interface == PROPERTIES:
            value = ("b", True) if body[1] == "IsStatusNotifierHostRegistered" else ("i", 0)
            return new_method_return(message, "v", (value,))
        case interface, "RegisterStatusNotifierItem" if interface == WATCHER:
            say(icon=body[0])
            return new_method_return(message)
        case interface, "Notify" if interface == NOTIFICATIONS:
            say(title=body[3], text=body[4])
            return new_method_return(message, "u", (1,))
        case interface, "GetCapabilities" if interface == NOTIFICATIONS:
            return new_method_return(message, "as", (["body", "actions"],))
    return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")


def take_name(bus: DBusConnection, name: str) -> None:
    """Be who programs look for."""
    daemon = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    bus.send_and_get_reply(new_method_call(daemon, "RequestName", "su", (name, 0)))


def main() -> None:
    """Answer until somebody ends this process."""
    with open_dbus_connection("SESSION") as bus:
        for name in (WATCHER, NOTIFICATIONS):
            take_name(bus, name)
        say(ready=True)
        while True:
            message = bus.receive()
            if message.header.message_type is MessageType.method_call:
                bus.send(answer(message))


if __name__ == "__main__":
    main()
