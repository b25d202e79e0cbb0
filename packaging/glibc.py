"""Which glibc the libraries of a bundle ask for, and how one built on a newer system is made to ask for less.

Read from each ELF file's table of needed versions (``.gnu.version_r``), since a name among its strings says nothing.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SECTION = struct.Struct("<IIQQQQIIQQ")
_NEED = struct.Struct("<HHIII")
_AUX = struct.Struct("<IHHII")
_DYNSYM, _VERNEED, _VERSYM = 11, 0x6FFFFFFE, 0x6FFFFFFF
#: Functions that a newer glibc gave a new version although the old one, which every glibc has, does the same: ``hypot``
#: of 2.35 no longer calls the hook of the ancient System V error handling.
UNCHANGED = frozenset({"hypot"})


@dataclass(frozen=True, slots=True)
class Needed:
    """One version that a file asks of a library.

    Attributes:
        at: Offset of its entry in the file.
        index: By which its symbols name it.
        library: e.g. ``libm.so.6``.
        version: e.g. ``GLIBC_2.35``.
    """

    at: int
    index: int
    library: str
    version: str

    @property
    def glibc(self) -> tuple[int, int]:
        """(2, 35); (0, 0) for what is no version of glibc's."""
        match = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", self.version)
        return (int(match[1]), int(match[2])) if match else (0, 0)


class ElfFile:
    """A 64-bit little-endian ELF file, as far as versions of symbols go."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        (table,) = struct.unpack_from("<Q", data, 0x28)
        size, count = struct.unpack_from("<HH", data, 0x3A)
        self._sections = [_SECTION.unpack_from(data, table + size * number) for number in range(count)]

    @staticmethod
    def readable(data: bytes) -> bool:
        """Whether it is such a file."""
        return data[:6] == b"\x7fELF\x02\x01"

    def needed(self) -> list[Needed]:
        """Every version it asks for."""
        found = []
        for section in self._sections:
            if section[1] == _VERNEED:
                found += list(self._needs(section[4], section[7], strings=self._sections[section[6]][4]))
        return found

    def _needs(self, at: int, count: int, strings: int) -> Iterator[Needed]:
        for _ in range(count):
            _version, versions, file, first, following = _NEED.unpack_from(self.data, at)
            entry = at + first
            for _ in range(versions):
                _hash, _flags, index, name, next_entry = _AUX.unpack_from(self.data, entry)
                yield Needed(entry, index, self._text(strings + file), self._text(strings + name))
                entry += next_entry
            at += following

    def symbols_of(self, index: int) -> set[str]:
        """The symbols that carry a version."""
        ((_, _, _, _, start, size, *_),) = [one for one in self._sections if one[1] == _VERSYM]
        (table,) = [one for one in self._sections if one[1] == _DYNSYM]
        strings = self._sections[table[6]][4]
        versions = struct.unpack_from(f"<{size // 2}H", self.data, start)
        names = (struct.unpack_from("<I", self.data, table[4] + 24 * number)[0] for number in range(len(versions)))
        return {self._text(strings + name) for name, one in zip(names, versions, strict=True) if one & 0x7FFF == index}

    def ask_for(self, what: Needed, instead: Needed) -> None:
        """Ask for another version of the same library, which the file names already."""
        other_hash, _, _, other_name, _ = _AUX.unpack_from(self.data, instead.at)
        _, flags, index, _, following = _AUX.unpack_from(self.data, what.at)
        _AUX.pack_into(self.data, what.at, other_hash, flags, index, other_name, following)

    def _text(self, at: int) -> str:
        return self.data[at : self.data.index(0, at)].decode()


def libraries(bundle: Path) -> Iterator[Path]:
    """Everything in a bundle that is loaded or run."""
    for file in sorted(bundle.rglob("*")):
        if file.is_file() and not file.is_symlink() and (".so" in file.name or os.access(file, os.X_OK)):
            yield file


def needed_glibc(bundle: Path) -> dict[tuple[int, int], list[Path]]:
    """The versions of glibc that files of the bundle ask for at most, with the files, newest first."""
    found: dict[tuple[int, int], list[Path]] = {}
    for file in libraries(bundle):
        data = file.read_bytes()
        if ElfFile.readable(data):
            newest = max((one.glibc for one in ElfFile(data).needed()), default=(0, 0))
            found.setdefault(newest, []).append(file)
    return dict(sorted(found.items(), reverse=True))


def ask_for_less(bundle: Path, wanted: tuple[int, int]) -> list[Path]:
    """Have files that need a newer glibc only for functions of `UNCHANGED` ask for the old ones; the changed files."""
    changed = []
    for file in libraries(bundle):
        data = file.read_bytes()
        if not ElfFile.readable(data):
            continue
        elf = ElfFile(data)
        needs = elf.needed()
        for one in needs:
            older = [other for other in needs if other.library == one.library and (0, 0) < other.glibc <= wanted]
            if one.glibc > wanted and older and elf.symbols_of(one.index) <= UNCHANGED:
                elf.ask_for(one, min(older, key=lambda other: other.glibc))
                changed.append(file)
        if elf.data != data:
            file.write_bytes(elf.data)
    return changed
