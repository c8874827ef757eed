"""Pictures into an H.264 film: an MP4 file whose frames keep their own times, for players and editors.

Stands beside `container`: no other module imports PyAV.
"""

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

with contextlib.suppress(Exception):  # before PyAV, as in `container`
    from framewire.common.opencv import cv2 as _cv2  # noqa: F401
import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from framewire.common.errors import SinkError
from framewire.common.frame import Image

__all__ = ["H264", "Film", "usable_encoder"]

H264 = "libx264"
_ENCODERS = (H264, "libopenh264", "h264_videotoolbox", "h264_mf", "mpeg4")
"""The first that this PyAV has. Hardware encoders that need a device are not tried blindly."""

_US = Fraction(1, 1_000_000)
_TICK_US = {"mpeg4": 1000}
"""MPEG-4 part 2 has 16 bits for the units of a second; H.264 takes microseconds."""
_LONGEST_STEP_US = 1_800_000_000
"""FFmpeg's MP4 muxer takes no step of 2**31 units, 36 minutes: the picture is then shown again."""
_BITS_PER_PIXEL_S = 4
"""For encoders that know no CRF: generous, about 3.7 Mbit/s for 720p."""


def usable_encoder() -> str:
    """The name of the encoder that `Film` uses; `SinkError` if this PyAV has none."""
    for name in _ENCODERS:
        if name in av.codecs_available:
            return name
    raise SinkError("this PyAV can encode neither H.264 nor MPEG-4: install av from PyPI")


class Film:
    """Writes one film. Not thread-safe. `SinkError` where the file cannot be written.

    `width` and `height` are those of the first picture; later ones are scaled to it. H.264 with
    4:2:0 wants even sizes, so an odd one is padded by repeating its last column or row. JPEG's
    full-range BT.601 is converted to limited-range BT.709, and tagged so: what players expect.
    """

    def __init__(
        self, path: Path, width: int, height: int, *, crf: int, named: Path | None = None
    ) -> None:
        """`named` is what errors call the file, if it is to be moved later."""
        self._name = named or path
        self.encoder = usable_encoder()
        self.size = width + width % 2, height + height % 2
        """Of the film, in pixels."""
        self._given = width, height
        self._last: tuple[int, Image] | None = None
        self._tick_us = _TICK_US.get(self.encoder, 1)
        self._step_us = 40_000
        try:
            options = {"movflags": "+faststart", "video_track_timescale": "1000000"}
            self._file = av.open(f"file:{path}", "w", format="mp4", options=options)
            stream = self._file.add_stream(self.encoder, rate=30)
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        stream.codec_context.time_base = self._tick_us * _US
        _set_up(stream.codec_context, self.size, crf if self.encoder == H264 else None)

    def write(self, image: Image, at_us: int) -> None:
        """Show `image`, (H, W, 3) BGR or (H, W), from `at_us` microseconds on.

        Not before the frame written last: one at its time, or earlier, follows as soon as can be.
        """
        if self._last is not None:
            last_us, last_image = self._last
            while at_us - last_us > _LONGEST_STEP_US:
                last_us += _LONGEST_STEP_US
                self._encode(last_image, last_us)
            at_us = max(at_us, last_us + self._tick_us)
            self._step_us = at_us - last_us
        self._encode(image, at_us)
        self._last = at_us, image

    def close(self) -> None:
        """Write what the encoder still holds, and the index. The last frame stays as long as the
        one before it."""
        try:
            self._mux(self._stream.encode())
            self._file.close()
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def abandon(self) -> None:
        """Close the file, whatever becomes of it: it is of no use."""
        try:
            self._file.close()
        except (av.FFmpegError, OSError, ValueError):
            return

    def _encode(self, image: Image, at_us: int) -> None:
        try:
            frame = _converted(image, self._given, self.size)
            frame.pts, frame.time_base = at_us, _US
            self._mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _mux(self, packets: Iterable["av.Packet[av.VideoStream]"]) -> None:
        for packet in packets:
            packet.duration = self._step_us  # only the last one's counts
            self._file.mux(packet)

    def _failed(self, error: BaseException) -> SinkError:
        reason = getattr(error, "strerror", None) or str(error)
        return SinkError(f"cannot write {self._name}: {reason}")


def _set_up(context: VideoCodecContext, size: tuple[int, int], crf: int | None) -> None:
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.color_range = ColorRange.MPEG
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    # Without B-frames coding order is showing order, so each frame's time stands in the file as it
    # is: with them, and steps as irregular as a camera's, MP4's durations come out wrong.
    context.max_b_frames = 0
    if crf is None:
        context.bit_rate = _BITS_PER_PIXEL_S * size[0] * size[1]
    else:
        context.options = {"crf": str(crf), "bf": "0"}


def _converted(image: Image, given: tuple[int, int], size: tuple[int, int]) -> av.VideoFrame:
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if (image.shape[1], image.shape[0]) == given != size:
        edges = ((0, size[1] - given[1]), (0, size[0] - given[0]), (0, 0))
        image = np.pad(image, edges, mode="edge")
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
    return picture.reformat(
        *size,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
    )
