"""`repair`: a whole recording of what is readable in a cut or damaged one."""

import sys
from collections.abc import Iterable
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from framewire.common.errors import ProtocolError, RecordingError, UsageError
from framewire.common.options import Json, Switch
from framewire.common.terminal import EXIT_DONE, Stopper, print_json

if TYPE_CHECKING:
    from framewire.common.recording import Recording

__all__ = ["repair"]


def repair(file: Path, /, *, out: Path, overwrite: Switch = False, json: Json = False) -> int:
    """Write a new recording with an index, of all that is readable in one that was cut or damaged.

    Frames are copied byte for byte and keep their times; those that are damaged are left out. The
    file itself stays as it is.

    Parameters
    ----------
    file
        The recording.
    out
        The new file, NEW.mkv.
    overwrite
        Replace the new file if it is there.
    """
    from framewire.common.recording import Recording

    _check_place(file, out, overwrite)
    with Stopper() as stop, Recording(file) as recording:
        kept = _write(recording, out, stop)
        if not kept:
            print("stopped: nothing was written", file=sys.stderr)
            return EXIT_DONE
        facts = {
            "file": str(file),
            "out": str(out),
            "kept": kept,
            "damaged": len(recording) - kept + recording.damaged,
            "faults": len(recording.faults),
            "fault_bytes": sum(fault.size for fault in recording.faults),
            "cut_bytes": recording.cut_bytes,
        }
    if json:
        print_json(**facts)
    else:
        _print_text(facts)
    return EXIT_DONE


def _check_place(file: Path, out: Path, overwrite: bool) -> None:
    if out.suffix.lower() != ".mkv":
        raise UsageError(f"cannot write {out}: recordings are .mkv files")
    if not out.parent.is_dir():
        raise RecordingError(f"cannot write {out}: No such file or directory")
    if out.exists():
        if file.exists() and out.samefile(file):
            raise UsageError(f"{out} is the recording itself: choose another name")
        if not overwrite:
            raise RecordingError(
                f"cannot write {out}: it is there already; choose another name, or overwrite it "
                "(--overwrite)"
            )


def _write(recording: "Recording", out: Path, stop: Stopper) -> int:
    """How many frames were kept; none if the user stopped it. `out` is whole or not there."""
    from framewire.app.exporting.part import Part
    from framewire.common.recording_writer import RecordingWriter

    good = _until(stop, (at for at in range(len(recording)) if _is_good(recording, at)))
    if stop.requested:
        return 0
    if not good:
        raise RecordingError(f"nothing can be saved of {recording.path}: every frame is damaged")
    part = Part(out, overwrite=True)
    try:
        with closing(
            RecordingWriter(part.path, recording.packet(good[0]).header, new=False)
        ) as writer:
            for at in _until(stop, good):
                writer.append(round(recording.time_of(at) * 1000), recording.stored(at))
            if stop.requested:
                return 0
            writer.close(sync=True)
        part.finish()
    except OSError as error:
        raise part.failed(error) from error
    finally:
        part.discard()
    return len(good)


def _until(stop: Stopper, items: Iterable[int]) -> list[int]:
    return list(takewhile(lambda item: not stop.requested, items))


def _is_good(recording: "Recording", at: int) -> bool:
    """Whether a picture is the one that its header describes."""
    from framewire.common.wire import check_payload

    try:
        packet = recording.packet(at)
        check_payload(packet.header, packet.payload)
    except ProtocolError:
        return False
    return True


def _print_text(facts: dict[str, object]) -> None:
    print(f"{facts['out']}: {facts['kept']} frames kept of {facts['file']}")
    left_out = [
        text
        for name, text in (
            ("damaged", f"{facts['damaged']} damaged frames"),
            ("faults", f"{facts['fault_bytes']} bytes in {facts['faults']} damaged places"),
            ("cut_bytes", f"{facts['cut_bytes']} bytes at the end that are no whole frame"),
        )
        if facts[name]
    ]
    print(f"  left out: {', '.join(left_out) or 'nothing'}")
