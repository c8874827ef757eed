"""`Csv` and `JsonLines`: what the headers say, one row a frame."""

import csv
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import msgspec

from framewire.app.exporting.exporter import ExportOptions, Picture
from framewire.app.exporting.part import Part
from framewire.common.clock import NS

__all__ = ["COLUMNS", "STDOUT", "Csv", "JsonLines"]

STDOUT = Path("-")

COLUMNS = (
    "topic", "sequence", "captured_ns", "media_s", "sent_ns", "sender", "width", "height", "bytes",
    "quality", "lost_before", "metadata",
)  # fmt: skip
"""`media_s`: seconds since the first frame of the recordings; `bytes`: of the JPEG as sent."""


def _row(picture: Picture) -> dict[str, Any]:
    header = picture.packet.header
    facts = {name: getattr(header, name, None) for name in COLUMNS}
    seconds, rest_ns = divmod(picture.at_ns, NS)
    return {
        **facts,
        "media_s": f"{seconds}.{rest_ns:09d}",  # exact: a float would round after some weeks
        "bytes": len(picture.packet.payload),
        "lost_before": picture.lost,
    }


class _Listing:
    """A text file that becomes whole, or standard output."""

    notes: tuple[str, ...] = ()

    def __init__(self, options: ExportOptions) -> None:
        self._part: Part | None = None
        self._file: TextIO = sys.stdout
        if options.out != STDOUT:
            self._part = Part(options.out, overwrite=options.overwrite)
            try:
                self._file = self._part.path.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise self._part.failed(error) from error

    def write(self, picture: Picture) -> None:
        try:
            self._write(_row(picture))
        except OSError as error:
            if self._part is None:
                raise  # whoever read it may have gone: `main` knows
            raise self._part.failed(error) from error

    def _write(self, row: dict[str, Any]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        if self._part is None:
            self._file.flush()
            return
        try:
            self._file.close()
        except OSError as error:
            raise self._part.failed(error) from error
        self._part.finish()

    def abandon(self) -> None:
        if self._part is None:
            return
        with suppress(OSError):  # the disk is full: what was buffered goes, with the file
            self._file.close()
        self._part.discard()


class Csv(_Listing):
    """Comma-separated values with a line of names; metadata is JSON in its column."""

    def __init__(self, options: ExportOptions) -> None:
        super().__init__(options)
        self._table = csv.DictWriter(self._file, COLUMNS)
        self._table.writeheader()

    def _write(self, row: dict[str, Any]) -> None:
        self._table.writerow({**row, "metadata": msgspec.json.encode(row["metadata"]).decode()})


class JsonLines(_Listing):
    """One JSON object a line."""

    def _write(self, row: dict[str, Any]) -> None:
        row["media_s"] = float(row["media_s"])
        self._file.write(msgspec.json.encode(row).decode() + "\n")
