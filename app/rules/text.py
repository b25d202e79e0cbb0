"""Text from outside in a form that every file, socket, database and terminal takes."""

from __future__ import annotations

__all__ = ["storable", "visible"]


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


#: What joins and parts letters in scripts such as Persian and Hindi, and signs in emoji.
_JOINERS = "\u200c\u200d"


def visible(text: str, kept: str = _JOINERS) -> str:
    """The text with an escape for each character that has no look of its own (``\\x1b``, ``\\u202e``).

    Somebody else's name or command line could otherwise steer a terminal, or read as another than it is.

    Args:
        text: The text.
        kept: Characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in kept else character.encode("unicode_escape").decode()
        for character in text
    )
