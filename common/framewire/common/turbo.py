"""`simplejpeg`, the codec of libjpeg-turbo, where it is installed; None elsewhere: OpenCV does its work."""

from types import ModuleType

__all__ = ["simplejpeg"]


def _load() -> ModuleType | None:
    try:
        import simplejpeg as module
    except ImportError:
        return None
    loaded: ModuleType = module
    return loaded


simplejpeg = _load()
