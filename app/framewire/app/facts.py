"""What is said of a recording or clip: gathered here, printed by `info`."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framewire.common.clock import NS
from framewire.common.errors import ProtocolError, RecordingError

if TYPE_CHECKING:
    from framewire.common.recording import Recording

__all__ = ["Facts", "facts_of"]

Facts = dict[str, Any]
"""One JSON object; durations in seconds, moments in UTC."""


def facts_of(file: Path, *, check: bool) -> Facts:
    """The facts of one file. With `check` every frame is read and decoded: see `damaged_frames`.

    `RecordingError` if it holds no video that can be read.
    """
    from framewire.common.recording import Recording

    try:
        recording = Recording(file)
    except RecordingError as error:
        return _clip(file, error, check)
    with recording:
        return _recording(recording, check)


def _clip(file: Path, error: RecordingError, check: bool) -> Facts:
    """The facts of any other video file; `error`, why it is no recording, if it is none either."""
    from framewire.common.container import clip_facts

    clip = clip_facts(file, decode=check)
    if not clip.frames:
        raise error
    return {
        **_common(file, "clip", clip.codec, (clip.width, clip.height)),
        **_pace(clip.frames, clip.duration_s),
        "damaged": clip.damaged,
    }


def _common(file: Path, kind: str, codec: str, size: tuple[int, int]) -> Facts:
    width, height = size
    length = file.stat().st_size
    names = ("file", "kind", "bytes", "codec", "width", "height")
    return dict(zip(names, (str(file), kind, length, codec, width, height), strict=True))


def _pace(frames: int, duration_s: float) -> Facts:
    fps = (frames - 1) / duration_s if duration_s > 0 else 0.0
    return {"frames": frames, "duration_s": round(duration_s, 9), "fps": round(fps, 3)}


def _recording(recording: "Recording", check: bool) -> Facts:
    gaps, repeated = recording.gaps, recording.repeated
    shortest, longest = recording.intervals_ms
    damaged = _damaged_frames(recording) if check else []
    return {
        **_common(recording.path, "recording", "jpeg", recording.size),
        **_pace(len(recording), recording.duration),
        "damaged": recording.damaged + len(damaged),
        "topic": recording.topic,
        "first_captured_ns": recording.began_ns,
        "last_captured_ns": recording.ended_ns,
        "began": _utc(recording.began_ns),
        "ended": _utc(recording.ended_ns),
        "min_interval_ms": round(shortest, 3),
        "max_interval_ms": round(longest, 3),
        "lost": sum(gap.frames for gap in gaps),
        "gaps": len(gaps),
        "missing": [{**asdict(gap), "frames": gap.frames} for gap in gaps],
        "repeated": repeated,
        "senders": list(recording.senders),
        "finished": recording.finished,
        "faults": [asdict(fault) for fault in recording.faults],
        "cut_bytes": recording.cut_bytes,
        "missing_bytes": recording.missing_bytes,
        "unreadable": recording.damaged,
        "damaged_frames": damaged,
    }


def _utc(moment_ns: int) -> str:
    try:
        return datetime.fromtimestamp(moment_ns // 1000 / 1e6, UTC).isoformat(" ", "microseconds")
    except (OverflowError, ValueError, OSError):  # a clock of a year that Python has no name for
        return f"{moment_ns / NS:.6f} s"


def _damaged_frames(recording: "Recording") -> list[Facts]:
    """Every frame that is not what its header says, or does not decode, and why."""
    found = []
    for at in range(len(recording)):
        reason = _fault(recording, at)
        if reason:
            found.append({"index": at, "time_s": recording.time_of(at), "reason": reason})
    return found


def _fault(recording: "Recording", at: int) -> str:
    from framewire.common.jpeg import decode
    from framewire.common.wire import check_payload

    try:
        packet = recording.packet(at)
        check_payload(packet.header, packet.payload)
        decode(packet.payload)
    except (ProtocolError, RecordingError) as error:
        return str(error)
    return ""
