"""Still images: a folder, or a glob such as ``shots/*.png``, shown one after the other."""

import glob
import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from framewire.common.errors import SourceError
from framewire.common.frame import Frame, Image
from framewire.common.opencv import cv2
from framewire.common.topic import topic_from_name
from framewire.sender.sources.playback import Playback
from framewire.sender.sources.source import Source, SourceOptions, picture_header

__all__ = ["IMAGE_SUFFIXES", "ImagesSource"]

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"))
_DEFAULT_FPS = 10.0


def _natural(path: Path) -> list[tuple[str, int]]:
    """Sort key that puts shot9 before shot10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", path.name)]


def _found(spec: str) -> Iterable[Path]:
    where = Path(spec)
    if where.is_dir():
        return where.iterdir()
    return [where] if where.is_file() else map(Path, glob.glob(spec))


def _read(path: Path) -> Image:
    """Its pixels, upright as viewers show it; `SourceError`."""
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error as error:  # it claims to be larger than OpenCV may read (see `opencv`)
        raise SourceError(
            f"cannot read {path}: it is damaged, or has more than 64 Mpixel"
        ) from error
    if image is None:
        raise SourceError(f"cannot read {path}: it is not an image, or it is damaged")
    return image.astype("uint8", copy=False)


class ImagesSource(Source):
    """The images of a folder or glob in the order of their names, `fps` a second (default 10)."""

    takes = frozenset({"loop", "speed", "fps"})

    def __init__(self, spec: str, options: SourceOptions) -> None:
        self._paths = sorted(
            (
                path
                for path in _found(spec)
                if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
            ),
            key=_natural,
        )
        if not self._paths:
            known = " ".join(sorted(IMAGE_SUFFIXES))
            raise SourceError(f"no images in {spec}: looked for {known}")
        alone = Path(spec).is_file()
        name = Path(spec).stem if alone else self._paths[0].resolve().parent.name
        super().__init__(topic_from_name(name), options)

    def __iter__(self) -> Iterator[Frame]:
        playback = Playback(self.options, self._stop)
        period_ns = round(1e9 / (self.options.fps or _DEFAULT_FPS))
        total = len(self._paths)
        for sequence in count() if self.options.loop else range(total):
            path = self._paths[sequence % total]
            with self._read():
                image = _read(path)
            moment = playback.wait(sequence * period_ns)
            if moment is None:
                return
            yield Frame(image, picture_header(self.name, sequence, moment, image))
