"""Recordings for the tests of those who show them."""

from pathlib import Path

from app.web.viewing import HEIGHT, TOPIC, WIDTH, chart
from framewire.common import jpeg
from framewire.common.clock import NS
from framewire.common.frame import Header, Packet
from framewire.common.recording_writer import RecordingWriter

BEGAN_NS = 1_769_868_300 * NS
FRAME_NS = NS // 25
NAME = f"{TOPIC}/2026-01-31T14-05-00.mkv"


def packet(number: int, began_ns: int = BEGAN_NS, topic: str = TOPIC, sender: str = "s") -> Packet:
    """A frame that carries its number, so many frames after `began_ns`."""
    payload = jpeg.encode(chart(number), 90)
    at_ns = number * FRAME_NS
    header = Header(
        topic=topic,
        sender=sender,
        sequence=number,
        captured_ns=began_ns + at_ns,
        monotonic_ns=NS + at_ns,
        sent_ns=began_ns + at_ns,
        width=WIDTH,
        height=HEIGHT,
        channels=3,
        codec="jpeg",
        quality=90,
        metadata={"n": number},
    )
    return Packet(header, payload)


def writer(folder: Path, first: Packet, name: str = NAME) -> RecordingWriter:
    """A recording that is begun."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return RecordingWriter(path, first.header)


def record(
    folder: Path,
    numbers: list[int],
    name: str = NAME,
    *,
    began_ns: int = BEGAN_NS,
    topic: str = TOPIC,
) -> Path:
    """A recording of frames with these numbers."""
    packets = [packet(number, began_ns, topic) for number in numbers]
    recording = writer(folder, packets[0], name)
    for each in packets:
        recording.write(each)
    recording.close()
    return recording.path
