"""What every command shares: exit codes, options, and how an error is told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

#: Exit codes, the same for every command. A supervisor must not start the program again after 64, 65, 75 and 78.
BAD_SETTINGS = 78
BAD_KEY = 64
ANOTHER_INSTANCE = 75
#: A disk is full, or the system does not let us: worth another start.
UNWRITABLE = 74
BAD_JOURNAL = 65
REFUSED = 3
CHECKS_FAILED = 4

#: Seconds that an option may ask to wait or to last: a week. Qt's timers and the system's calls end not far above.
LONGEST_SECONDS = 604_800.0
#: The largest number of a row, a process or an open file that is taken.
LARGEST_NUMBER = 2**31 - 1


def given_path(text: str | Path) -> Path:
    """A path as typed. An empty one is refused: it would mean the folder this was started in, and is a script's slip.

    What may not be read is told by whoever reads it, with what to do.
    """
    if not str(text).strip():
        raise typer.BadParameter("the path is empty; write . for this folder")
    return Path(text)


def path_option(flag: str, words: str) -> Any:
    """An option that takes a path, see `given_path`."""
    return typer.Option(flag, help=words, parser=given_path, metavar="<path>")


SettingsOption = Annotated[Path | None, path_option("--settings", "The settings file.")]
JournalOption = Annotated[Path | None, path_option("--journal", "The journal's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One line of JSON instead of words.")]


def fail(words: str, code: int) -> NoReturn:
    """End with one line of why, secrets masked, and an exit code."""
    from app.settings.redact import redact

    typer.echo(f"signalbox: {redact(words)}", err=True)
    raise typer.Exit(code)


@contextmanager
def told() -> Iterator[None]:
    """Every expected error as one line and its exit code."""
    from app.journal.rows import JournalBusy, JournalError, JournalUnwritable
    from app.settings.secrets import SecretsExposed
    from app.settings.store import SettingsError
    from app.site.types import SiteUnreachable, WrongKey

    try:
        yield
    except (SettingsError, SecretsExposed) as error:
        fail(str(error), BAD_SETTINGS)
    except WrongKey as error:
        fail(str(error), BAD_KEY)
    except SiteUnreachable as error:
        fail(str(error), REFUSED)
    except JournalBusy as error:
        fail(str(error), ANOTHER_INSTANCE)
    except JournalUnwritable as error:
        fail(str(error), UNWRITABLE)
    except JournalError as error:
        fail(str(error), BAD_JOURNAL)
    except OSError as error:
        if error.errno is None or not error.filename:
            raise
        fail(f"{error.filename}: {error.strerror}", UNWRITABLE)
