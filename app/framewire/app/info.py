"""`info`: what a recording or clip holds."""

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from framewire.common.clock import NS
from framewire.common.errors import ProtocolError
from framewire.common.gaps import GapCounter
from framewire.common.options import Json, Switch
from framewire.common.terminal import EXIT_DONE, EXIT_FAILED, EXIT_LOST, print_json

if TYPE_CHECKING:
    from framewire.common.frame import Header, Packet

__all__ = ["info"]


@dataclass(slots=True)
class _Facts:
    """One line of the answer."""

    kind: str
    topic: str = ""
    codec: str = "jpeg"
    width: int = 0
    height: int = 0
    frames: int = 0
    duration_s: float = 0.0
    lost: int = 0
    gaps: int = 0
    damaged: int = 0
    first_captured_ns: int = 0
    last_captured_ns: int = 0
    senders: set[str] = field(default_factory=set)

    @property
    def fps(self) -> float:
        return (self.frames - 1) / self.duration_s if self.duration_s > 0 else 0.0


def info(file: Path, /, *, check: Switch = False, json: Json = False) -> int:
    """Tell what a recording or clip holds: topics, frames, duration, gaps, size.

    Parameters
    ----------
    file
        A recording or any video file.
    check
        Read and check every frame; exit with 1 if one is damaged, 3 if one is missing.
    """
    from framewire.common.container import is_recording

    facts = _recording(file, check) if is_recording(file) else _clip(file, check)
    size = file.stat().st_size
    if json:
        _print_json(file, size, facts)
    else:
        _print_text(file, size, facts, check)
    if not check:
        return EXIT_DONE
    return EXIT_FAILED if facts.damaged else EXIT_LOST if facts.lost else EXIT_DONE


def _recording(file: Path, check: bool) -> _Facts:
    from framewire.common.container import RecordingReader
    from framewire.common.timeline import Timeline

    facts, gaps, timeline = _Facts("recording"), GapCounter(), Timeline()
    with closing(RecordingReader(file)) as reader:
        for packet in reader.packets():
            _count(facts, packet.header, gaps, timeline.at(packet.header))
            if check and _is_damaged(packet):
                facts.damaged += 1
        facts.damaged += reader.damaged
    facts.lost = gaps.lost
    return facts


def _count(facts: _Facts, header: "Header", gaps: GapCounter, position_ns: int) -> None:
    if not facts.frames:
        facts.topic, facts.width, facts.height = header.topic, header.width, header.height
        facts.first_captured_ns = header.captured_ns
    facts.frames += 1
    facts.duration_s = position_ns / NS
    facts.last_captured_ns = header.captured_ns
    facts.senders.add(header.sender)
    facts.gaps += bool(gaps.frame(header.sender, header.sequence, replay=header.replay))


def _is_damaged(packet: "Packet") -> bool:
    from framewire.common.jpeg import decode
    from framewire.common.wire import check_payload

    try:
        check_payload(packet.header, packet.payload)
        decode(packet.payload)
    except ProtocolError:
        return True
    return False


def _clip(file: Path, check: bool) -> _Facts:
    from framewire.common.container import clip_facts

    clip = clip_facts(file, decode=check)
    return _Facts(
        "clip",
        codec=clip.codec,
        width=clip.width,
        height=clip.height,
        frames=clip.frames,
        duration_s=clip.duration_s,
        damaged=clip.damaged,
    )


def _print_json(file: Path, size: int, facts: _Facts) -> None:
    common = {
        "file": str(file),
        "kind": facts.kind,
        "bytes": size,
        "codec": facts.codec,
        "width": facts.width,
        "height": facts.height,
        "frames": facts.frames,
        "duration_s": round(facts.duration_s, 9),
        "fps": round(facts.fps, 3),
        "damaged": facts.damaged,
    }
    recorded = {
        "topic": facts.topic,
        "first_captured_ns": facts.first_captured_ns,
        "last_captured_ns": facts.last_captured_ns,
        "lost": facts.lost,
        "gaps": facts.gaps,
        "senders": sorted(facts.senders),
    }
    print_json(**common, **(recorded if facts.kind == "recording" else {}))


def _print_text(file: Path, size: int, facts: _Facts, check: bool) -> None:
    print(f"{file}: {facts.kind}, {size / 1e6:.1f} MB")
    what = f"{facts.width}x{facts.height} {facts.codec}"
    print(f"  {facts.frames} frames of {what}, {facts.duration_s:.3f} s, {facts.fps:.2f} fps")
    if facts.kind == "recording":
        began = datetime.fromtimestamp(facts.first_captured_ns / NS, UTC)
        print(f"  topic {facts.topic}, from {began:%Y-%m-%d %H:%M:%S.%f} UTC")
        print(f"  {facts.lost} lost in {facts.gaps} gap(s), {len(facts.senders)} sender run(s)")
    if check:
        print(f"  {facts.damaged} damaged")
