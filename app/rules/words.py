"""How a count is said, in the log, on the page, in a terminal and in the window alike."""

from __future__ import annotations

__all__ = ["many"]


def many(number: int, one: str, more: str = "") -> str:
    """ "1 run", "2 runs", "1,234 entries".

    Args:
        number: How many.
        one: The words behind 1.
        more: The words behind any other number, where an s at the end of ``one`` does not make them ("frames are").
    """
    return f"{number:,} {one if number == 1 else more or one + 's'}"
