"""Frames between the compiler and its child: one byte of kind, four bytes of length (big endian), payload."""

from __future__ import annotations

import struct
from typing import IO

READY = b"R"
REQUEST = b"Q"
HEADER = b"H"
PAGE = b"P"
COLUMNS = b"C"
END = b"E"

_HEAD = struct.Struct(">cI")
MAX_FRAME = 512 * 1024 * 1024


class BrokenFrame(ValueError):
    """The stream does not hold frames (a child that printed something, a torn pipe)."""


def write(stream: IO[bytes], kind: bytes, payload: bytes) -> None:
    """Write one frame and flush it."""
    stream.write(_HEAD.pack(kind, len(payload)))
    stream.write(payload)
    stream.flush()


def read(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The next frame, None at the end of the stream. Raises BrokenFrame."""
    head = stream.read(_HEAD.size)
    if not head:
        return None
    if len(head) < _HEAD.size:
        raise BrokenFrame("the stream ends inside a frame")
    kind, size = _HEAD.unpack(head)
    if size > MAX_FRAME or kind not in (READY, REQUEST, HEADER, PAGE, COLUMNS, END):
        raise BrokenFrame("the stream holds something else than frames")
    payload = stream.read(size)
    if len(payload) < size:
        raise BrokenFrame("the stream ends inside a frame")
    return kind, payload
