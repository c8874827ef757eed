"""`repair`: a whole recording of what is readable in a cut or damaged one."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from framewire.common.errors import ProtocolError, RecordingError, UsageError
from framewire.common.options import Json, Switch
from framewire.common.terminal import EXIT_DONE, print_json

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
    with Recording(file) as recording:
        kept = _write(recording, out)
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
    if out.exists():
        if file.exists() and out.samefile(file):
            raise UsageError(f"{out} is the recording itself: choose another name")
        if not overwrite:
            raise RecordingError(
                f"cannot write {out}: it is there already; choose another name, or overwrite it "
                "(--overwrite)"
            )


def _write(recording: "Recording", out: Path) -> int:
    """Write under another name, so that `out` is whole or not there; how many frames were kept."""
    from framewire.common.recording_writer import RecordingWriter

    good = [at for at in range(len(recording)) if _is_good(recording, at)]
    if not good:
        raise RecordingError(f"nothing can be saved of {recording.path}: every frame is damaged")
    part = out.with_name(f"{out.name}.part")
    try:
        with closing(RecordingWriter(part, recording.packet(good[0]).header)) as writer:
            for at in good:
                writer.append(round(recording.time_of(at) * 1000), recording.stored(at))
            writer.close(sync=True)
        part.replace(out)
    except OSError as error:
        raise RecordingError(f"cannot write {out}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return len(good)


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
