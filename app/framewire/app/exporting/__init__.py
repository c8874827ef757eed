"""What recordings are exported to, found through one table. To add one: a file, its test, a row here."""

from importlib import import_module
from typing import cast

from framewire.app.exporting.exporter import Exporter, ExportOptions

__all__ = ["FORMATS", "ExportOptions", "Exporter", "open_exporter"]

FORMATS = {
    "mp4": "framewire.app.exporting.mp4:Mp4",
    "images": "framewire.app.exporting.images:ImageFolder",
    "mcap": "framewire.app.exporting.mcap:Mcap",
    "csv": "framewire.app.exporting.listing:Csv",
    "jsonl": "framewire.app.exporting.listing:JsonLines",
}


def open_exporter(name: str, options: ExportOptions) -> Exporter:
    """What writes format `name`; loaded only now."""
    module, _, kind = FORMATS[name].partition(":")
    return cast(Exporter, getattr(import_module(module), kind)(options))
