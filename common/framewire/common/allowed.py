"""Who may connect: a folder of public keys, which is looked at again and again."""

import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from framewire.common.errors import KeyFileError
from framewire.common.keyfile import read_public

__all__ = ["AllowList"]

_log = logging.getLogger("framewire.keys")

_SUFFIX = ".key"
_MOST = 65_536
"""Files that are read: more than that is no list that somebody keeps."""

_Seen = tuple[int, int, int, int, int]


@dataclass(slots=True)
class _File:
    seen: _Seen
    key: str | None
    fault: str = ""
    told: bool = False


class AllowList:
    """The keys in the files NAME.key of a folder, as of the last `look`. One thread uses it.

    A file that holds no usable key lets nobody in, a folder that cannot be read neither; that is said
    once. Files with other names are passed over.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, _File] = {}
        self._names: dict[str, str] = {}
        self._former: dict[str, str] = {}
        self._unreadable = False
        self.look()

    def name_of(self, key: str) -> str | None:
        """The file that lets a key in, or None: it is not allowed."""
        return self._names.get(key)

    def former_name_of(self, key: str) -> str | None:
        """The file that let a key in before."""
        return self._former.get(key)

    def look(self) -> frozenset[str]:
        """Take in what has changed; the keys that are not allowed any more."""
        before = self._names
        self._files = {
            name: self._read(name, seen) for name, seen in sorted(self._listed().items())
        }
        self._names = {file.key: name for name, file in self._files.items() if file.key}
        gone = before.keys() - self._names.keys()
        self._former.update((key, before[key]) for key in gone if len(self._former) < _MOST)
        return frozenset(gone)

    def _listed(self) -> dict[str, _Seen]:
        found: dict[str, _Seen] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(_SUFFIX) and len(found) < _MOST:
                        found[entry.name] = _seen(entry)
        except OSError as error:
            if not self._unreadable:
                _log.error(
                    "the folder of allowed keys %s cannot be read (%s): nobody is let in until it can",
                    self.folder,
                    error.strerror,
                )
            self._unreadable = True
            return {}
        self._unreadable = False
        return found

    def _read(self, name: str, seen: _Seen) -> _File:
        known = self._files.get(name)
        if known is None or known.seen != seen:
            if not stat.S_ISREG(seen[0]):  # opening a pipe would wait for ever
                return _File(seen, None, f"{self.folder / name} is no file")
            try:
                return _File(seen, read_public(self.folder / name))
            except KeyFileError as error:
                return _File(seen, None, str(error))
        if known.fault and not known.told:  # not at once: it may be on its way to here
            known.told = True
            _log.warning("nobody is let in by it: %s", known.fault)
        return known


def _seen(entry: "os.DirEntry[str]") -> _Seen:
    """What tells that a file has changed; nothing of a link that leads nowhere."""
    try:
        facts = entry.stat()
    except OSError:
        return (0, 0, 0, 0, 0)
    return (facts.st_mode, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino)
