"""Video files: whatever OpenCV's FFmpeg reads, at the pace of its own time stamps."""

import math
from collections.abc import Iterator
from pathlib import Path

from framewire.common.clock import NS
from framewire.common.errors import JpegError, SourceError, UsageError
from framewire.common.frame import Frame, Packet
from framewire.common.opencv import cv2
from framewire.common.topic import topic_from_name
from framewire.sender.sources.playback import Playback
from framewire.sender.sources.source import Source, SourceOptions, jpeg_packet, picture_header

__all__ = ["VideoSource"]

_FALLBACK_FPS = 25.0
_NEARLY = 0.8
"""How much of the length that its head states a file must have: some only estimate it."""
_SEEK_BEFORE_S = (0, 10, 60, 600)
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")


class _Times:
    """Media times of successive frames: what the file says, or its frame rate where it is silent."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.step_ns = round(1e9 / (fps if 0 < fps <= 1000 else _FALLBACK_FPS))
        self.last_ns = -1

    def read(self, capture: cv2.VideoCapture) -> int:
        """The time of the frame just read; always later than that of the one before."""
        stated = capture.get(cv2.CAP_PROP_POS_MSEC)
        media_ns = round(stated * 1e6) if math.isfinite(stated) else -1
        if media_ns <= self.last_ns:
            media_ns = self.last_ns + self.step_ns if self.last_ns >= 0 else 0
        else:
            self.step_ns = media_ns - self.last_ns if self.last_ns >= 0 else self.step_ns
        self.last_ns = media_ns
        return media_ns


class VideoSource(Source):
    """A video file (or the URL of one), also of variable frame rate.

    Where it is MJPEG, `packets()` gives its pictures as they are stored.
    """

    takes = frozenset({"loop", "speed", "start", "fps"})

    def __init__(self, spec: str, options: SourceOptions, *, shown: str = "") -> None:
        """`shown` is what to call it in messages: a URL without its password."""
        super().__init__(topic_from_name(Path(spec).stem), options)
        self._path = spec
        self._shown = shown or spec
        first = self._open(raw=False)
        mjpeg = int(first.get(cv2.CAP_PROP_FOURCC)) == _MJPG
        first.release()
        self.encoded = mjpeg and self._starts_with_jpeg()

    def _open(self, *, raw: bool) -> cv2.VideoCapture:
        parameters = [cv2.CAP_PROP_FORMAT, -1] if raw else []
        with self._read():
            capture = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG, parameters)
        if not capture.isOpened():
            raise SourceError(
                f"cannot read {self._shown}: it is not a video that FFmpeg knows, or it is damaged"
            )
        return capture

    def _starts_with_jpeg(self) -> bool:
        capture = self._open(raw=True)
        read, data = capture.read()
        capture.release()
        return bool(read) and data.tobytes()[:2] == b"\xff\xd8"

    def __iter__(self) -> Iterator[Frame]:
        for sequence, (capture, media_ns, playback) in enumerate(self._play(raw=False)):
            read, image = capture.retrieve()
            moment = playback.wait(media_ns)
            if moment is None or not read:
                return
            pixels = image.astype("uint8", copy=False)
            yield Frame(pixels, picture_header(self.name, sequence, moment, pixels))

    def packets(self) -> Iterator[Packet]:
        if not self.encoded:
            raise UsageError(f"{self._shown} is not MJPEG: iterate over its frames")
        damaged = 0
        for sequence, (capture, media_ns, playback) in enumerate(self._play(raw=True)):
            data = capture.retrieve()[1].tobytes()
            moment = playback.wait(media_ns)
            if moment is None:
                return
            try:
                yield jpeg_packet(self.name, sequence, moment, data, dropped=damaged)
            except JpegError:
                damaged += 1

    def _play(self, *, raw: bool) -> Iterator[tuple[cv2.VideoCapture, int, Playback]]:
        """Grab every frame that is to be shown; its media time goes on through loops."""
        playback = Playback(self.options, self._stop)
        start_ns = round(self.options.start * NS)
        offset_ns = 0
        while not self._stop.is_set():
            capture = self._open(raw=raw)
            times = _Times(capture)
            played = False
            try:
                with self._read():
                    grabbed = self._grab_first(capture)
                while grabbed and not self._stop.is_set():
                    media_ns = times.read(capture)
                    if media_ns >= start_ns:
                        played = True
                        if playback.keep(offset_ns + media_ns):
                            yield capture, offset_ns + media_ns, playback
                    with self._read():
                        grabbed = capture.grab()
                if played:
                    self._tell_if_cut(capture, times.last_ns)
            finally:
                capture.release()
            if not played and not self._stop.is_set():
                where = f" from {self.options.start:g} s on" if self.options.start else ""
                raise SourceError(f"cannot play {self._shown}: it holds no picture to show{where}")
            if not self.options.loop:
                return
            offset_ns += times.last_ns + times.step_ns - start_ns

    def _tell_if_cut(self, capture: cv2.VideoCapture, last_ns: int) -> None:
        """A file that ends long before its own head says so is told."""
        fps = capture.get(cv2.CAP_PROP_FPS)
        stated_s = capture.get(cv2.CAP_PROP_FRAME_COUNT) / fps if fps > 0 else 0.0
        if self._stop.is_set() or last_ns / NS >= _NEARLY * stated_s - 1:
            return
        reason = (
            f"{self._shown} ends after {max(0, last_ns) / NS:.1f} s, though it says that it lasts "
            f"{stated_s:.1f} s: it was cut or is damaged"
        )
        self._tell("live" if self.options.loop else "ended", reason)

    def _grab_first(self, capture: cv2.VideoCapture) -> bool:
        """Grab a frame at or before the start.

        OpenCV seeks by the mean frame rate. In a clip of variable rate that can lead past the
        start, so it is tried from ever farther before it.
        """
        for before_s in _SEEK_BEFORE_S:
            if self.options.start <= before_s:
                break
            capture.set(cv2.CAP_PROP_POS_MSEC, (self.options.start - before_s) * 1000)
            if capture.grab() and capture.get(cv2.CAP_PROP_POS_MSEC) <= self.options.start * 1000:
                return True
        if self.options.start:
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        return capture.grab()
