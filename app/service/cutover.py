"""From the demo to a real site, and from the studio's old server to this one, without a double list or folder.

Rule: at a newly connected real site every handler starts at Dry run, every action at Off, and only what happens from
now on counts. A handler goes On after a person confirmed that the old server's is off (see `app.engine.orders`).
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from app.engine.catalogue import FIRST_LEVERS
from app.journal.journal import Journal
from app.journal.rows import LeverPosition
from app.service.menu import ELSEWHERE
from app.settings.paths import cache_folder
from app.site.session import open_session
from app.site.types import Credentials, SiteRefusal, SiteUnreachable

__all__ = ["is_embedded", "is_known_site", "settle_site", "site_words"]

log = logging.getLogger("signalbox.service")

_ASK_SECONDS = 5.0
_REAL: dict[str, LeverPosition] = {"handler": "dry", "action": "off"}
_EMBEDDED: dict[str, LeverPosition] = {"handler": "on", "action": "on"}


def is_embedded(server: str, information: Callable[[], dict[str, Any]]) -> bool:
    """Whether this is the embedded site, where nothing is real.

    It listens on this machine alone, and says what it is; an address elsewhere is real without asking.

    Args:
        server: The site's address.
        information: Asks the site what it says of itself.
    """
    host = urlsplit(server).hostname or ""
    if host != "localhost":
        try:
            if not ipaddress.ip_address(host).is_loopback:
                return False
        except ValueError:
            return False
    return bool(information().get("signalbox_embedded"))


def site_words(server: str, *, embedded: bool) -> str:
    """Which site it is, as window, log and confirmations say it."""
    return f"the embedded demo site {server}, where nothing is real" if embedded else f"the real site {server}"


def settle_site(journal: Journal, credentials: Credentials) -> bool | None:
    """Note which site this journal serves; at a newly connected real one, begin anew.

    Args:
        journal: The journal, held by this process.
        credentials: The site.

    Returns:
        Whether it is the embedded site; None while a site on this machine does not say.
    """
    server = credentials.server.rstrip("/")
    try:
        embedded = is_embedded(server, lambda: ask_site(credentials))
    except (SiteRefusal, SiteUnreachable) as error:
        log.debug("what %s is cannot be told yet: %s", server, error)
        return None
    before = journal.fact("site")
    journal.set_fact("site", {"server": server, "embedded": embedded})
    log.info("works on %s", site_words(server, embedded=embedded))
    if embedded:
        if before is None or not before["embedded"]:
            journal.set_fact(FIRST_LEVERS, _EMBEDDED)
            journal.set_fact("cut_over", "")
        return True
    if before is None or before["embedded"] or before["server"] != server:
        _begin_anew(journal, server)
    return False


def is_known_site(journal: Journal, credentials: Credentials) -> bool:
    """Whether it was found out at an earlier start which kind of site is at this address."""
    before = journal.fact("site")
    return before is not None and before["server"] == credentials.server.rstrip("/")


def ask_site(credentials: Credentials) -> dict[str, Any]:
    """What a site says of itself. Raises SiteUnreachable, SiteRefusal (WrongKey)."""
    session = open_session(credentials, cache_folder(), timeout=_ASK_SECONDS)
    try:
        return dict(session.server_information)
    finally:
        session.close()


def _begin_anew(journal: Journal, server: str) -> None:
    why = f"newly connected: {server}. Compare with the old server first (signalbox shadow)"
    with journal.write(durable=True):
        journal.set_fact(FIRST_LEVERS, _REAL)
        journal.set_fact("cut_over", server)
        journal.set_fact("old_server_off", {})
        journal.set_fact("shadow_since", journal.now())
        journal.begin_anew(_REAL, why)
        # What another site sent is not given to handlers here, and what happened before now was the old server's.
        journal.set_cursor(journal.last_event_id())
        journal.set_fact("heard", None)
        journal.set_fact(ELSEWHERE, None)
    log.warning("%s is a real site and new here: every handler stands at Dry run, every action at Off", server)
