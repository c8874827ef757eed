"""`export`: recordings into what other programs read. What it needs is loaded when it runs."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from framewire.common.clock import NS
from framewire.common.errors import JpegError, SinkError, UsageError
from framewire.common.options import From, Json, Switch, Until
from framewire.common.printable import printable
from framewire.common.terminal import (
    EXIT_DONE,
    EXIT_FAILED,
    Stopper,
    print_json,
    set_up_logging,
)

if TYPE_CHECKING:
    from framewire.app.exporting import Exporter
    from framewire.app.exporting.pictures import Pictures
    from framewire.common.session import Session

__all__ = ["Format", "export"]

Format = Literal["mp4", "images", "mcap", "csv", "jsonl"]

_INSTEAD = "other videos are ffmpeg's business, as in ffmpeg -i {name} out.mp4"


def export(
    *files: Path,
    to: Format,
    out: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    start: From = "0",
    end: Until = None,
    crf: Annotated[int | None, Parameter(validator=Number(gte=0, lte=51))] = None,
    headers: Switch = False,
    overwrite: Switch = False,
    json: Json = False,
) -> int:
    """Turn recordings into a film, JPEG files, an MCAP file or a table. Nothing is left if it is
    stopped.

    Parameters
    ----------
    files
        Recordings, or folders of them: several are put together by their capture times.
    to
        mp4 (H.264, one topic), images (the JPEG files as they were sent), mcap (for Foxglove), csv
        or jsonl (the facts of each frame).
    out
        The file to write; for images the folder; for csv and jsonl also -, standard output.
    crf
        Quality of mp4: 0 (lossless, large) to 51; 20 if not given, which looks like the original.
    headers
        For images: put framewire's header into each file, as record --format images does.
    overwrite
        Replace a file that is there; add to a folder that is there.
    """
    from framewire.app.exporting import ExportOptions, open_exporter
    from framewire.app.exporting.pictures import Pictures
    from framewire.common.session import Session

    set_up_logging(verbose=False)
    _check(files, to, out, crf=crf, headers=headers, json=json)
    instead = _INSTEAD.format(name=files[0])
    with Stopper() as stop:
        session = Session(files, instead=instead, tolerant=True)
        pictures = Pictures(session, *session.span_ns(start, end))
        options = ExportOptions(out, session.topics, overwrite=overwrite, headers=headers)
        options = options if crf is None else replace(options, crf=crf)
        run = _Run(session, pictures, open_exporter(to, options), json=json)
        done = run.through(stop)
    if not done:
        print("stopped: nothing was written", file=sys.stderr)
    run.summary(out, stopped=not done)
    return run.complain() if done else EXIT_DONE


def _check(
    files: tuple[Path, ...], to: Format, out: Path, *, crf: int | None, headers: bool, json: bool
) -> None:
    if not files:
        raise UsageError("nothing to export: name one recording or more")
    if crf is not None and to != "mp4":
        raise UsageError("crf: only for --to mp4")
    if headers and to != "images":
        raise UsageError("headers: only for --to images")
    if str(out) == "-":
        if to not in ("csv", "jsonl"):
            raise UsageError(f"--out -: only for csv and jsonl; name a place for {to}")
        if json:
            raise UsageError("--json and --out - would both write to standard output: choose one")


class _Run:
    """All pictures through one exporter."""

    def __init__(
        self, session: "Session", pictures: "Pictures", exporter: "Exporter", *, json: bool
    ) -> None:
        self._session, self._pictures, self._exporter = session, pictures, exporter
        self._json = json
        self.frames = 0
        self._first_ns: int | None = None
        self._last_ns = 0

    def through(self, stop: Stopper) -> bool:
        """Export all; False if the user stopped it. Leaves nothing unless it is whole."""
        whole = False
        try:
            if self._write_all(stop):
                if not self.frames:
                    raise SinkError("nothing to export: no readable frame from that start on")
                self._exporter.close()
                whole = True
        finally:
            if not whole:
                self._exporter.abandon()
        return whole

    def _write_all(self, stop: Stopper) -> bool:
        from framewire.app.exporting.progress import Advance

        start_ns, end_ns = self._pictures.range_ns
        total_ns = min(self._session.duration_ns, end_ns or self._session.duration_ns) - start_ns
        with Advance(total_ns, json=self._json) as advance:
            for picture in self._pictures:
                if stop.requested:
                    return False
                try:
                    self._exporter.write(picture)
                except JpegError:
                    self._pictures.spoil()
                    continue
                self.frames += 1
                self._last_ns = picture.at_ns
                self._first_ns = picture.at_ns if self._first_ns is None else self._first_ns
                advance.update(self.frames, picture.at_ns - start_ns)
        return not stop.requested

    def summary(self, out: Path, *, stopped: bool) -> None:
        duration_s = (self._last_ns - (self._first_ns or 0)) / NS
        if self._json:
            print_json(
                event="summary",
                out=str(out),
                stopped=stopped,
                frames=0 if stopped else self.frames,
                duration_s=duration_s,
                lost=self._pictures.lost,
                damaged=self._pictures.damaged,
                notes=list(self._exporter.notes),
            )
        elif not stopped:
            lines = [f"{out}: {self.frames} frames, {duration_s:.3f} s, {self._pictures.lost} lost"]
            where = sys.stderr if str(out) == "-" else sys.stdout
            print("\n  ".join((*lines, *self._exporter.notes)), file=where)

    def complain(self) -> int:
        """Say what is missing of what should be there; the exit code."""
        for error in self._session.broken:
            print(f"framewire: {printable(str(error))}: what follows is missing", file=sys.stderr)
        if self._pictures.damaged:
            print(
                f"framewire: {self._pictures.damaged} damaged frame(s) could not be read and are "
                "missing; all others were exported",
                file=sys.stderr,
            )
        return EXIT_FAILED if self._session.broken or self._pictures.damaged else EXIT_DONE
