"""Every error that framewire raises.

    FramewireError
    |-- UsageError (ValueError)        the caller's: an argument that can never work
    |   |-- EndpointError              an address that is not an endpoint, or may not be bound
    |   |-- TopicError                 a topic outside the grammar
    |   `-- MetadataError              user metadata that the wire cannot carry
    |-- ProtocolError                  the peer's: bytes that are not a message of this protocol
    |   |-- VersionError               a message of a later protocol version
    |   `-- JpegError                  bytes that are not a JPEG that we take
    |-- TransportError                 the network's or the machine's: a port in use, no permission
    |-- KeyFileError                   a file or folder of keys: missing, damaged, open to others
    |-- SourceError                    a camera, file or URL that cannot be opened or read
    |-- SinkError                      a window, folder or file that cannot take frames
    |   `-- RecordingError             a recording that cannot be written or read
    |-- ReceiveTimeout (TimeoutError)  nothing came in the time that the caller gave
    `-- Closed                         used after close(), or closed while waiting

Each message is one line: what happened, whose fault it is, what to do next.
"""

__all__ = [
    "Closed",
    "EndpointError",
    "FramewireError",
    "JpegError",
    "KeyFileError",
    "MetadataError",
    "ProtocolError",
    "ReceiveTimeout",
    "RecordingError",
    "SinkError",
    "SourceError",
    "TopicError",
    "TransportError",
    "UsageError",
    "VersionError",
]


class FramewireError(Exception):
    """The root: catch this to catch all that framewire raises on purpose."""


class UsageError(FramewireError, ValueError):
    """An argument that can never work; the message says what is allowed."""


class EndpointError(UsageError):
    """An address that is not an endpoint, or one that may not be bound as asked."""


class TopicError(UsageError):
    """A topic outside the grammar (see `framewire.common.topic`)."""


class MetadataError(UsageError):
    """User metadata that the wire cannot carry: not plain, too deep or too large."""


class ProtocolError(FramewireError):
    """A peer sent bytes that are not a message of this protocol."""


class VersionError(ProtocolError):
    """A peer speaks a later version of the protocol."""


class JpegError(ProtocolError):
    """Bytes that are not a baseline JPEG within the limits, or that do not decode."""


class TransportError(FramewireError):
    """The operating system or the network refused: a port in use, no permission, no such address."""


class KeyFileError(FramewireError):
    """A file or folder of keys that is missing, damaged, open to others or of the other kind."""


class SourceError(FramewireError):
    """A camera, file or URL that cannot be opened or read."""


class SinkError(FramewireError):
    """A window, folder or file that cannot take frames."""


class RecordingError(SinkError):
    """A recording that cannot be written or read."""


class ReceiveTimeout(FramewireError, TimeoutError):
    """Nothing came in the time that the caller gave."""


class Closed(FramewireError):
    """The object was used after `close()`, or closed while this call waited."""
