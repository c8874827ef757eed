"""`Recorder`: packets into Matroska files, one for each topic."""

import threading
from datetime import UTC, datetime
from pathlib import Path

from framewire.common.clock import NS
from framewire.common.closing import Closing
from framewire.common.container import RecordingWriter
from framewire.common.errors import Closed, RecordingError
from framewire.common.frame import Packet
from framewire.common.mailbox import Mailbox
from framewire.common.topic import check_topic

__all__ = ["Recorder"]

_QUEUE_BYTES = 64 << 20
_JOIN_S = 30.0


class Recorder(Closing):
    """Records packets as they are: nothing is decoded, and `framewire replay` restores all of it.

    A `path` that ends in ``.mkv`` is one file for one topic, and must not exist unless `overwrite`.
    Any other path is a folder: each topic gets ``FOLDER/TOPIC/2026-01-31T14-05-00.mkv``, named by
    the capture time (UTC) of its first frame.

    Writing happens in a thread of its own behind a queue of at most 64 MiB; `write` waits while
    that is full. When the disk fails, `write` or `close` raises `RecordingError`, once for all;
    what was written until then stays readable. One thread may write; `close` finishes the files.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self._path = Path(path)
        self._single = self._path.suffix.lower() == ".mkv"
        self._writers: dict[str, RecordingWriter] = {}
        self._failure: RecordingError | None = None
        self._made = False
        self._frames = 0
        self._bytes = 0
        self._prepare(overwrite)
        self._queue: Mailbox[Packet] = Mailbox(
            "block", capacity=_QUEUE_BYTES, weight=lambda packet: len(packet.payload)
        )
        self._thread = threading.Thread(target=self._run, name="framewire-recorder", daemon=True)
        self._thread.start()

    def _prepare(self, overwrite: bool) -> None:
        """Find out now, not at the first frame, whether there is a place to write."""
        other = self._path.suffix.lower()
        if other in (".mp4", ".avi", ".mov", ".webm"):
            raise RecordingError(f"cannot record to {self._path}: recordings are .mkv files")
        folder = self._path.parent if self._single else self._path
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise RecordingError(
                f"cannot record to {self._path}: {folder} is not a folder"
            ) from error
        except OSError as error:
            raise RecordingError(f"cannot record to {self._path}: {error.strerror}") from error
        try:
            if self._single:
                self._made = not self._path.exists()
                self._path.open("ab" if overwrite else "xb").close()
            else:
                probe = folder / ".framewire-probe"
                probe.touch()
                probe.unlink()
        except FileExistsError as error:
            raise RecordingError(
                f"cannot record to {self._path}: it is there already; choose another name, or "
                "overwrite it (--overwrite)"
            ) from error
        except OSError as error:
            raise RecordingError(f"cannot record to {self._path}: {error.strerror}") from error

    @property
    def frames(self) -> int:
        """Frames written to disk so far."""
        return self._frames

    @property
    def written_bytes(self) -> int:
        """Payload bytes written to disk so far."""
        return self._bytes

    @property
    def paths(self) -> dict[str, Path]:
        """The file of each topic that was begun."""
        return {topic: writer.path for topic, writer in self._writers.items()}

    def write(self, packet: Packet, /) -> None:
        """Take one packet; its file is begun with the first of its topic.

        `TopicError` for a packet that no receiver would have let through.
        """
        check_topic(packet.topic)  # it becomes a folder
        try:
            self._queue.put(packet)
        except Closed:
            if self._failure:
                raise self._failure from None
            raise

    def close(self) -> None:
        """Write what waits and finish the files. Raises what writing raised."""
        self._queue.close()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            raise RecordingError(f"the disk of {self._path} does not answer; the end is missing")
        failure, self._failure = self._failure, None
        if failure:
            raise failure

    # -- the writing thread -------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                packet = self._queue.get()
                if packet is not None:
                    self._writer(packet).write(packet)
                    self._frames += 1
                    self._bytes += len(packet.payload)
        except Closed:
            pass
        except RecordingError as error:
            self._failure = error
        finally:
            self._queue.close()
            self._queue.clear()
            self._finish()

    def _finish(self) -> None:
        for writer in self._writers.values():
            try:
                writer.close()
            except RecordingError as error:
                self._failure = self._failure or error
        if self._made and not self._writers:
            self._path.unlink(missing_ok=True)  # nothing came: leave no empty file

    def _writer(self, packet: Packet) -> RecordingWriter:
        writer = self._writers.get(packet.topic)
        if writer is None:
            if self._single and self._writers:
                raise RecordingError(
                    f"{self._path} holds {next(iter(self._writers))}, and now {packet.topic} came: "
                    "choose one topic, or record into a folder"
                )
            path = self._path if self._single else self._segment(packet)
            writer = self._writers[packet.topic] = RecordingWriter(path, packet.header)
        return writer

    def _segment(self, packet: Packet) -> Path:
        began = datetime.fromtimestamp(packet.header.captured_ns // NS, UTC)
        stem = self._path / packet.topic / f"{began:%Y-%m-%dT%H-%M-%S}"
        names = [stem.with_suffix(".mkv")]
        names += [stem.with_name(f"{stem.name}-{i}.mkv") for i in range(2, 1000)]
        for path in names:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.open("xb").close()
            except FileExistsError:
                continue
            except OSError as error:
                raise RecordingError(f"cannot write {path}: {error.strerror}") from error
            return path
        raise RecordingError(f"cannot write {stem}.mkv: a thousand files have that name")
