"""What an editor of job compiler scripts knows of JavaScript, without any widget: indenting, comments, brackets, words.

Pure functions over text, so that both editors behave alike and tests need no window.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

INDENT = 2
"""Blanks per level: what the formatter writes."""

KEYWORDS = (
    "async await break case catch class const continue debugger default delete do else export extends false finally "
    "for function get if import in instanceof let new null of return set static super switch this throw true try "
    "typeof undefined var void while with yield"
)
GLOBALS = (
    "Array Boolean Date Error GoError Infinity JOB_TYPE JSON Map Math NaN Number Object Promise Proxy RangeError "
    "Reflect RegExp Set String Symbol TypeError WeakMap alert author compileJob frameChunker frameCount "
    "formatTimestampLocal job parseFloat parseInt path print process require shellSplit"
)

_WORD_PATH = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*\.?$")
_WORD_PATH_START = re.compile(r"[\w$.]*$")
_WORD_REST = re.compile(r"^[\w$]*")
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]{2,}")


class ApiEntryLike(Protocol):
    """One thing a script can use, as `app.jobs.api.API_REFERENCE` lists it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def since(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Completion:
    """One proposal: `label` is inserted, `detail` is shown beside it."""

    label: str
    detail: str = ""


def indentation(line: str) -> str:
    """The blanks and tabs a line starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def indent_after(line: str) -> str:
    """The indentation of a new line below `line` (text up to the cursor): one level deeper after an open bracket."""
    code = line.split("//", 1)[0].rstrip()
    deeper = code.endswith(("{", "[", "("))
    return indentation(line) + (" " * INDENT if deeper else "")


def outdented(line: str) -> str | None:
    """`line` one level to the left when a closing bracket was typed as its first character, else None."""
    if not re.fullmatch(r"[ \t]+[}\])]", line):
        return None
    lead = indentation(line)
    return (lead[:-INDENT] if lead.endswith(" " * INDENT) else lead[:-1]) + line.lstrip()


def toggle_comment(lines: Sequence[str]) -> list[str]:
    """Put `//` before every line, or take it away when every line that is not blank has one."""
    full = [line for line in lines if line.strip()]
    if full and all(line.lstrip().startswith("//") for line in full):
        return [re.sub(r"^(\s*)// ?", r"\1", line) for line in lines]
    column = min((len(indentation(line)) for line in full), default=0)
    return [f"{line[:column]}// {line[column:]}" if line.strip() else line for line in lines]


def word_before(line: str, column: int) -> str:
    """The dotted name that ends at `column` (0-based) of `line`: `author.Ta`, `job.`; "" when there is none."""
    found = _WORD_PATH.search(line[:column])
    return found.group() if found else ""


def word_at(line: str, column: int) -> str:
    """The dotted name around `column` (0-based), up to the end of the part the column is in."""
    start = _WORD_PATH_START.search(line[:column])
    rest = _WORD_REST.match(line[column:])
    return ((start.group() if start else "") + (rest.group() if rest else "")).strip(".")


def in_comment_or_string(line: str, column: int) -> bool:
    """Whether `column` (0-based) lies in a `//` comment or a quoted string that starts on this line."""
    quote = ""
    skip = False
    for at, char in enumerate(line[:column]):
        if skip:
            skip = False
        elif quote:
            if char == "\\":
                skip = True
            elif char == quote:
                quote = ""
        elif char in "'\"`":
            quote = char
        elif char == "/" and line[at + 1 : at + 2] == "/":
            return True
    return bool(quote)


def matching_bracket(text: str, at: int) -> int:
    """The index of the bracket that closes or opens the one at `at`, -1 when there is none; strings count as code."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    closing = {close: opening for opening, close in pairs.items()}
    char = text[at : at + 1]
    if char in pairs:
        step, other = 1, pairs[char]
    elif char in closing:
        step, other = -1, closing[char]
    else:
        return -1
    depth = 0
    position = at
    while 0 <= position < len(text):
        if text[position] == char:
            depth += 1
        elif text[position] == other:
            depth -= 1
            if depth == 0:
                return position
        position += step
    return -1


class Vocabulary:
    """Names worth proposing and what they mean: the job API, the settings of the script, the words of the text."""

    def __init__(self, api: Iterable[ApiEntryLike] = ()) -> None:
        self._api = {entry.name: entry for entry in api}
        self._settings: dict[str, str] = {}

    def set_settings(self, settings: Iterable[Mapping[str, Any]]) -> None:
        """The settings of the job type the text declares, as in `job_type["settings"]`."""
        self._settings = {}
        for setting in settings:
            key = str(setting.get("key") or "")
            if key:
                described = " · ".join(
                    str(part) for part in (setting.get("type"), setting.get("description")) if part not in (None, "")
                )
                self._settings[key] = described

    def complete(self, path: str, text: str = "", limit: int = 60) -> list[Completion]:
        """Proposals for the dotted name `path` typed so far.

        Args:
            path: As `word_before` gives it; everything after the last dot is the prefix to continue.
            text: The whole script, for its own identifiers.
            limit: At most so many proposals.
        """
        owner, dot, prefix = path.rpartition(".")
        found: dict[str, str] = {}
        if dot:
            if owner in {"job.settings", "settings"}:
                found.update(self._settings)
            else:
                for name, entry in self._api.items():
                    parent, _, leaf = name.rpartition(".")
                    if parent and (parent == owner or (owner not in self._owners() and parent in {"task", "command"})):
                        found.setdefault(leaf, entry.signature)
        else:
            for name, entry in self._api.items():
                root = name.split(".", 1)[0]
                if "." not in name:
                    found[name] = entry.signature
                elif root not in {"task", "command", "setting"}:
                    found.setdefault(root, "")
            for word in KEYWORDS.split():
                found.setdefault(word, "")
            for word in _IDENTIFIER.findall(text):
                found.setdefault(word, "")
            found.pop(prefix, None)
        low = prefix.lower()
        names = sorted((name for name in found if name.lower().startswith(low) and name), key=str.lower)
        return [Completion(name, found[name]) for name in names[:limit]]

    def help(self, path: str) -> str:
        """What the dotted name means, as lines of plain text; "" when unknown."""
        entry = self._api.get(path) or self._api.get(path.rpartition(".")[2])
        leaf = path.rpartition(".")[2]
        if entry is None and "." in path:
            owners = [
                name for name in self._api if name.rpartition(".")[2] == leaf and name.startswith(("task.", "job."))
            ]
            entry = self._api[owners[0]] if owners else None
        if entry is None:
            if path.startswith(("job.settings.", "settings.")) and leaf in self._settings:
                return f"{leaf}: a setting of this job type\n{self._settings[leaf]}".rstrip()
            return ""
        since = f"\nSince Flamenco {entry.since}." if entry.since else ""
        return f"{entry.signature or entry.name}\n{entry.summary}{since}"

    def _owners(self) -> set[str]:
        return {name.rpartition(".")[0] for name in self._api}
