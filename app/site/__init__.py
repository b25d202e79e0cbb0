"""The one door to ftrack: sessions, plain reads, the listener, menus and forms."""

import sys

if "numpy" not in sys.modules:
    # The websocket package imports numpy wherever it finds it, only to mask outgoing frames faster: that is 15 MB and
    # a tenth of a second in every process that talks to a site. Ours sends a few small frames.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    try:
        import websocket  # noqa: F401
    finally:
        del sys.modules["numpy"]
