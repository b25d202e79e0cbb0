"""The send queue of a connection, against a client on a real socket that reads nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, web

from app.sandbox.contract import Identity
from app.sandbox.socketio import Connection

PACKET = "5:::" + "x" * 100_000


@asynccontextmanager
async def connected(most_bytes: int) -> AsyncIterator[tuple[Connection, ClientWebSocketResponse]]:
    """The server's end and the client's end of one websocket; the client reads a little ahead and no more."""
    ends: asyncio.Queue[Connection] = asyncio.Queue()

    async def serve(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        connection = Connection("1", Identity("id", "anna"), socket, request, most_bytes)
        writing = asyncio.create_task(connection.write())
        ends.put_nowait(connection)
        async for _message in socket:
            pass
        writing.cancel()
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{site.port}/") as client:
            yield await ends.get(), client
    finally:
        await runner.cleanup()


def test_a_client_that_reads_nothing_is_dropped_once_it_has_left_too_many_bytes_unread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def flood() -> None:
        async with connected(most_bytes=2_000_000) as (connection, client):
            sent = 0
            while not connection.dropped:
                connection.send(PACKET)
                sent += 1
                assert sent < 1_000, "100 MB unread and still connected"
                await asyncio.sleep(0)
            connection.send(PACKET)
            await client.close()

    with caplog.at_level(logging.WARNING, "signalbox.sandbox.hub"):
        asyncio.run(flood())
    assert [record.getMessage() for record in caplog.records] == [
        "dropped a client of anna: it left 19 packets (1.9 MB) unread"
    ]


def test_a_client_that_reads_may_be_sent_more_bytes_than_may_wait() -> None:
    async def read_along() -> None:
        async with connected(most_bytes=250_000) as (connection, client):
            for _ in range(50):
                connection.send(PACKET)
                assert await client.receive_str() == PACKET
            assert not connection.dropped

    asyncio.run(read_along())
