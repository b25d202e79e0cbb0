"""Text from outside in a form that every file, socket and database takes."""

from __future__ import annotations

__all__ = ["storable"]


def storable(text: str) -> str:
    """The text with a replacement character for each half of a surrogate pair, which no encoding takes.

    They come in JSON (a page that cuts a text in the middle of an emoji sends half of it) and in names of files that
    are not UTF-8.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
