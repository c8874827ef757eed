"""`Mp4`: an H.264 film, for players, editors and browsers."""

from framewire.app.exporting.exporter import ExportOptions, Picture
from framewire.app.exporting.part import Part
from framewire.common.errors import UsageError
from framewire.common.h264 import H264, Film
from framewire.common.jpeg import decode

__all__ = ["Mp4"]


class Mp4:
    """One topic as an MP4 file, each frame shown at its own time, to the microsecond."""

    def __init__(self, options: ExportOptions) -> None:
        if len(options.topics) > 1:
            raise UsageError(
                f"an mp4 holds one topic, and here are {', '.join(options.topics)}: export them one "
                "by one"
            )
        self.notes: list[str] = []
        self._options = options
        self._part = Part(options.out, overwrite=options.overwrite)
        self._film: Film | None = None
        self._size = 0, 0
        self._began_us = 0

    def write(self, picture: Picture) -> None:
        image = decode(picture.packet.payload)
        size, at_us = (image.shape[1], image.shape[0]), picture.at_ns // 1000
        if self._film is None:
            self._began_us = at_us
            self._film = self._begin(size)
        if size != self._size:
            self._tell(f"the size changes: other pictures are scaled to {_text(self._size)}")
        self._film.write(image, at_us - self._began_us)

    def _begin(self, size: tuple[int, int]) -> Film:
        self._size, out = size, self._options.out
        film = Film(self._part.path, *size, crf=self._options.crf, named=out)
        if film.size != size:
            self._tell(f"padded from {_text(size)} to {_text(film.size)}: H.264 wants even sizes")
        if film.encoder != H264:
            self._tell(f"PyAV has no {H264} here: encoded with {film.encoder}, without --crf")
        return film

    def _tell(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def close(self) -> None:
        if self._film is not None:
            self._film.close()
        self._part.finish()

    def abandon(self) -> None:
        if self._film is not None:
            self._film.abandon()
        self._part.discard()


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
