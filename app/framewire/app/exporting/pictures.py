"""`Pictures`: what a session holds that can be exported, and the account of what is missing."""

from collections import defaultdict
from collections.abc import Iterator

from framewire.app.exporting.exporter import Picture
from framewire.common.errors import ProtocolError
from framewire.common.gaps import GapCounter
from framewire.common.session import Session
from framewire.common.wire import check_payload

__all__ = ["Pictures"]


class Pictures:
    """The whole pictures of a session, in the order of their times; iterate once."""

    def __init__(self, session: Session, start_ns: int, end_ns: int | None) -> None:
        self._session = session
        self.range_ns = start_ns, end_ns
        """Of media time: from, and up to but not with; None is the end."""
        self._gaps: defaultdict[str, GapCounter] = defaultdict(GapCounter)
        self._bad = 0

    @property
    def damaged(self) -> int:
        """Pictures passed over so far."""
        return self._bad + self._session.damaged

    @property
    def lost(self) -> int:
        """Numbers that are missing: frames lost before they were recorded, and damaged ones."""
        return sum(gaps.lost for gaps in self._gaps.values())

    def __iter__(self) -> Iterator[Picture]:
        for at_ns, packet in self._session.packets(*self.range_ns):
            header = packet.header
            gaps = self._gaps[packet.topic]
            lost = gaps.frame(header.sender, header.sequence, replay=header.replay) or 0
            try:
                check_payload(header, packet.payload)
            except ProtocolError:
                self._bad += 1
            else:
                yield Picture(at_ns, packet, lost)

    def spoil(self) -> None:
        """Count one that was given out and does not decode."""
        self._bad += 1
