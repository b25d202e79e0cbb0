"""A peer that only storms: speaks the event hub's handshake and sends events as fast as the socket takes them.

    python tests/bench/baseline/storm_hub.py COUNT

Prints its port. A second after the last subscription of a connection it sends COUNT updates to it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid

from aiohttp import WSMsgType, web

_PARENTS = [
    {"entityId": "{id}", "entityType": "task", "entity_type": "Task", "parentId": "shot"},
    {"entityId": "shot", "entityType": "task", "entity_type": "Shot", "parentId": "show"},
    {"entityId": "show", "entityType": "show", "entity_type": "Project", "parentId": None},
]


def event(number: int) -> str:
    """An update of a task, some 800 bytes, as the wire carries it."""
    entity = {
        "action": "update",
        "entityType": "task",
        "entity_type": "Task",
        "entityId": f"task-{number}",
        "objectTypeId": "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c",
        "parentId": "shot",
        "keys": ["statusid"],
        "changes": {"statusid": {"old": str(uuid.uuid4()), "new": str(uuid.uuid4())}},
        "parents": _PARENTS,
    }
    payload = {
        "id": uuid.uuid4().hex,
        "topic": "ftrack.update",
        "sent": None,
        "target": "",
        "inReplyToEvent": None,
        "source": {"id": "storm", "applicationId": "ftrack.client.web", "user": {"id": "u", "username": "artist"}},
        "data": {"entities": [entity], "parents": ["shot", "show"], "user": {"userid": "u", "name": "An Artist"}},
    }
    return "5:::" + json.dumps({"name": "ftrack.event", "args": [payload]})


async def _storm(socket: web.WebSocketResponse, packets: list[str], quiet: asyncio.Event) -> None:
    while True:
        quiet.clear()
        try:
            await asyncio.wait_for(quiet.wait(), 1.0)
        except TimeoutError:
            break
    for packet in packets:
        await socket.send_str(packet)


async def _serve(count: int) -> None:
    packets = [event(number) for number in range(count)]

    async def handshake(_: web.Request) -> web.Response:
        return web.Response(text=f"{uuid.uuid4().hex}:60:120:websocket")

    async def connection(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.send_str("1::")
        spoke = asyncio.Event()
        storm = asyncio.create_task(_storm(socket, packets, spoke))
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            spoke.set()
            number = message.data.split(":", 2)[1].rstrip("+")
            if message.data.startswith("5:") and number:
                await socket.send_str(f'6:::{number}+[{{"success":true}}]')
        storm.cancel()
        return socket

    application = web.Application()
    application.router.add_get("/socket.io/1/", handshake)
    application.router.add_get("/socket.io/1/websocket/{sid}", connection)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
