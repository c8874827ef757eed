"""What the system knows of a process: its memory, descriptors, threads, CPU time and connections (Linux)."""

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Connection", "connections", "cpu_s", "descriptors", "resident_bytes", "threads"]

_STATES = {
    1: "established",
    2: "syn-sent",
    8: "close-wait",
    10: "listen",
}  # include/net/tcp_states.h


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP socket of a process."""

    local_port: int
    remote_port: int
    state: str


def connections(pid: int) -> set[Connection]:
    """Its TCP sockets, without those that only listen."""
    inodes = {_link(each) for each in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, remote, state, *_, inode = line.split()[:10]
            if f"socket:[{inode}]" in inodes and int(state, 16) != 10:
                name = _STATES.get(int(state, 16), state)
                found.add(Connection(_port(local), _port(remote), name))
    return found


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:  # closed meanwhile
        return ""


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid: int) -> float:
    """CPU time so far, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
