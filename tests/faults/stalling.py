"""A disk that can stop answering: a folder seen through FUSE, of which nothing is read meanwhile.

Linux, root. A frozen file system still answers who reads: this one answers nobody, as a network disk
does whose server is gone.
"""

import ctypes
import os
import select
import stat
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from framewire.common.closing import Closing

__all__ = ["StallingDisk"]

_REQUEST = struct.Struct("<IIQQIIIHH")  # linux/fuse.h: fuse_in_header
_REPLY = struct.Struct("<IiQ")
_ATTR = struct.Struct("<6Q10I")
_LAZY = 2
_LARGEST = (1 << 20) + 4096
_FORGET, _BATCH_FORGET, _INTERRUPT = 2, 42, 36
_ROOT = 1


class StallingDisk(Closing):
    """Shows `folder` at `mount`, read-only, until `close`; answers nothing from `stall` to `go_on`."""

    def __init__(self, folder: Path, mount: Path) -> None:
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("only root on Linux can mount a disk")
        if not Path("/dev/fuse").exists():
            pytest.skip("there is no FUSE here")
        mount.mkdir()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        place = os.fsencode(mount)
        if self._libc.mount(b"framewire-test", place, b"fuse", 0, options.encode()):
            os.close(self._device)
            pytest.skip(f"a disk cannot be mounted here: {os.strerror(ctypes.get_errno())}")
        self._mount = mount
        self._paths: dict[int, Path] = {_ROOT: folder}
        self._numbers: dict[Path, int] = {folder: _ROOT}
        self._going = threading.Event()
        self._going.set()
        self.waiting = 0
        """How often something was asked while it was stalled."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stall(self) -> None:
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    def close(self) -> None:
        self.go_on()
        self._libc.umount2(os.fsencode(self._mount), _LAZY)
        self._thread.join(10)

    # -- the file system ----------------------------------------------------------------------

    def _run(self) -> None:
        # Not 25, that a file is closed: Linux waits for its answer even in a program that was killed.
        answers: dict[int, Callable[[int, bytes], bytes]] = {
            1: self._lookup, 3: self._getattr, 14: self._open, 15: self._read, 18: self._nothing,
            26: self._init, 27: self._open, 28: self._list, 29: self._nothing,
        }  # fmt: skip
        with suppress(OSError):  # unmounted
            while True:
                select.select([self._device], [], [])
                if not self._going.is_set():
                    self.waiting += 1
                    self._going.wait()  # unread: who waits for it can be killed
                request = os.read(self._device, _LARGEST)
                _, kind, unique, node, *_ = _REQUEST.unpack_from(request)
                if kind in (_FORGET, _BATCH_FORGET, _INTERRUPT):
                    continue
                try:
                    answer = answers.get(kind, _unknown)
                    body, error = answer(node, request[_REQUEST.size :]), 0
                except OSError as failure:
                    body, error = b"", failure.errno or 5
                with suppress(FileNotFoundError):  # who asked was killed meanwhile
                    reply = _REPLY.pack(_REPLY.size + len(body), -error, unique)
                    os.write(self._device, reply + body)
        os.close(self._device)

    def _init(self, node: int, body: bytes) -> bytes:
        return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 16, 12, 4096, 1, 0, 0, *[0] * 8)

    def _lookup(self, node: int, body: bytes) -> bytes:
        path = self._paths[node] / os.fsdecode(body.partition(b"\0")[0])
        facts = path.lstat()
        number = self._numbers.setdefault(path, len(self._numbers) + 1)
        self._paths[number] = path
        return struct.pack("<4Q2I", number, 0, 0, 0, 0, 0) + _attributes(number, facts)

    def _getattr(self, node: int, body: bytes) -> bytes:
        return struct.pack("<Q2I", 0, 0, 0) + _attributes(node, self._paths[node].lstat())

    def _open(self, node: int, body: bytes) -> bytes:
        return struct.pack("<Q2I", 0, 1, 0)  # FOPEN_DIRECT_IO: nothing is kept in memory

    def _read(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        with self._paths[node].open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def _list(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        found, names = b"", sorted(os.listdir(self._paths[node]))
        for at, name in list(enumerate(names))[offset:]:
            mode = (self._paths[node] / name).lstat().st_mode
            entry = struct.pack("<QQII", 2, at + 1, len(os.fsencode(name)), stat.S_IFMT(mode) >> 12)
            entry += os.fsencode(name)
            entry += b"\0" * (-len(entry) % 8)
            if len(found) + len(entry) > size:
                break
            found += entry
        return found

    def _nothing(self, node: int, body: bytes) -> bytes:
        return b""


def _unknown(node: int, body: bytes) -> bytes:
    raise OSError(38, "not implemented")


def _attributes(number: int, facts: os.stat_result) -> bytes:
    seconds, rest = divmod(facts.st_mtime_ns, 10**9)
    return _ATTR.pack(
        number, facts.st_size, facts.st_blocks, seconds, seconds, seconds, rest, rest, rest,
        facts.st_mode, 1, 0, 0, 0, 4096, 0,
    )  # fmt: skip
