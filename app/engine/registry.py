"""The handlers at work, by id; replaced as a whole, so that no thread ever sees half of an exchange."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView

from app.engine.protocol import Handler

__all__ = ["HandlerRegistry"]


class HandlerRegistry(Mapping[str, Handler]):
    """A mapping that all of the engine shares; `replace` exchanges what it holds.

    Args:
        handlers: In the order in which they are asked.
    """

    def __init__(self, handlers: Iterable[Handler]) -> None:
        self._by_id: dict[str, Handler] = {}
        self.replace(handlers)

    def replace(self, handlers: Iterable[Handler]) -> None:
        """Hold these from now on; who iterates just now goes on with those before."""
        self._by_id = {each.id: each for each in handlers}

    def __getitem__(self, handler: str) -> Handler:
        return self._by_id[handler]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def keys(self) -> KeysView[str]:
        """Ids, in order."""
        return self._by_id.keys()

    def values(self) -> ValuesView[Handler]:
        """Handlers, in order."""
        return self._by_id.values()

    def items(self) -> ItemsView[str, Handler]:
        """Both."""
        return self._by_id.items()
