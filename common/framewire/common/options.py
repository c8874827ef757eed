"""Command-line options that several commands share, each explained once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

__all__ = [
    "NO_KEYS",
    "BindSenders",
    "BindTo",
    "ConnectTo",
    "Count",
    "Credits",
    "Duration",
    "Endpoints",
    "From",
    "History",
    "Insecure",
    "Json",
    "KeyOptions",
    "Length",
    "Loop",
    "MaxPixels",
    "MaxTopics",
    "Metrics",
    "Quality",
    "Scale",
    "Speed",
    "Start",
    "Switch",
    "Topics",
    "Until",
    "Verbose",
    "Wait",
    "WithKeys",
]

Switch = Annotated[bool, Parameter(negative="", show_default=False)]
"""An option without a value."""

Count = Annotated[int | None, Parameter(validator=Number(gte=0), help="End after so many frames.")]
Duration = Annotated[
    float | None, Parameter(validator=Number(gt=0), help="End after so many seconds.")
]
Length = Annotated[str | None, Parameter(negative="")]
"""A duration with its unit, as in 10m: see `framewire.common.amount.parse_duration`."""
Insecure = Annotated[
    Switch, Parameter(help="Allow an address that other machines can reach, without keys.")
]


@dataclass(frozen=True)
class KeyOptions:
    """The options --key, --allow and --server-key: see docs/guide/security.md."""

    key: Annotated[
        Path | None,
        Parameter(help="Own secret key, NAME.key_secret; made by `framewire keygen NAME`."),
    ] = None
    allow: Annotated[
        Path | None,
        Parameter(
            help="Folder with the public keys, NAME.key, of those who may connect to the addresses "
            "that are bound here. Changes count at once."
        ),
    ] = None
    server_key: Annotated[
        list[Path] | None,
        Parameter(
            negative="",
            help="Public key of who is to be at the address to connect to; of several, one for all "
            "or one for each in their order.",
        ),
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The same for `Sender` and `Receiver`."""
        return {"key": self.key, "allow": self.allow, "server_key": self.server_key or ()}


WithKeys = Annotated[KeyOptions, Parameter(name="*", help="The keys to use.")]
NO_KEYS = KeyOptions()
"""No options of keys: all is in the open."""

Json = Annotated[
    Switch, Parameter(help="Print events, figures and the summary as JSON lines on stdout.")
]
Metrics = Annotated[
    str | None,
    Parameter(
        help="HOST:PORT at which Prometheus finds the figures, below /metrics; as in 127.0.0.1:9100. "
        "Port 0 lets the system choose."
    ),
]
Verbose = Annotated[Switch, Parameter(help="Log more.")]

# -- sending --------------------------------------------------------------------------------------

BindTo = Annotated[
    list[str] | None,
    Parameter(
        negative="",
        help="Address to bind, as in tcp://127.0.0.1:5555 (the default), req-rep+tcp://... or "
        "push-pull+tcp://...; may be repeated. The port `*` lets the system choose.",
    ),
]
ConnectTo = Annotated[
    list[str] | None,
    Parameter(negative="", help="Address to connect to instead; may be repeated."),
]
Loop = Annotated[Switch, Parameter(help="Begin again at the end.")]
Speed = Annotated[float, Parameter(help="Times the original pace; 0 is as fast as possible.")]
Start = Annotated[float, Parameter(help="Seconds from the beginning to start at.")]
From = Annotated[
    str,
    Parameter(
        help="Where to start: seconds from the beginning, or a capture time in UTC, as in "
        "2026-01-31T14:05:00."
    ),
]
Until = Annotated[
    str | None, Parameter(help="Where to end, in the same way; frames before it are taken.")
]
Wait = Annotated[int, Parameter(help="Begin when so many receivers are there.")]
History = Annotated[
    str | None,
    Parameter(
        help="Recent frames to keep for those who ask for all (req-rep), as in 64M: after a break "
        "they get what they missed."
    ),
]

# -- receiving ------------------------------------------------------------------------------------

Quality = Annotated[
    int | Literal["auto"] | None,
    Parameter(
        help="JPEG quality to ask for, 1 to 100, or auto: the best at which the full frame rate fits "
        "through the link. For req-rep endpoints."
    ),
]
Scale = Annotated[
    float | None,
    Parameter(
        help="Width and height, times the sender's. If all endpoints are req-rep, senders are asked "
        "for it (1/16 to 1); otherwise pictures are decoded at 1/2, 1/4 or 1/8 (0.5, 0.25, 0.125)."
    ),
]
Credits = Annotated[
    int | None,
    Parameter(
        help="Requests on their way at once, 1 to 8; by default as the round trip needs. For req-rep "
        "endpoints."
    ),
]
Endpoints = Annotated[
    str,
    Parameter(
        help="Senders to connect to, with their pattern, as in req-rep+tcp://lab-pi:5556; "
        "tcp://127.0.0.1:5555 if none is given."
    ),
]
BindSenders = Annotated[
    list[str] | None,
    Parameter(negative="", help="Address to bind for senders that connect; may be repeated."),
]
MaxTopics = Annotated[
    int | None,
    Parameter(
        validator=Number(gte=1),
        help="Topics to take at most; those that come later are refused. Default: 1024.",
    ),
]
MaxPixels = Annotated[
    int | None,
    Parameter(
        validator=Number(gte=1),
        help="Width times height of the largest picture to take. Default: 67108864 (8192x8192).",
    ),
]
Topics = Annotated[
    list[str] | None,
    Parameter(negative="", help="Topic to take, with all below it; may be repeated. Default: all."),
]
