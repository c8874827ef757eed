"""`web`: cameras in a browser."""

import secrets
import socket
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from framewire.app.web.access import Access
from framewire.app.web.entrance import listen_for_viewers
from framewire.app.web.limits import LIMITS
from framewire.app.web.running import Running
from framewire.common.config import limits_from
from framewire.common.errors import UsageError
from framewire.common.listening import Address, parse_address
from framewire.common.options import (
    NO_KEYS,
    BindSenders,
    Duration,
    Endpoints,
    Insecure,
    Json,
    MaxPixels,
    MaxTopics,
    Switch,
    Verbose,
    WithKeys,
)
from framewire.common.terminal import EXIT_DONE, Stopper, print_json, set_up_logging
from framewire.receiver import Receiver

__all__ = ["url_of", "web"]

_TOKEN_BYTES = 16
_LOOK_S = 0.2


def web(
    *endpoints: Endpoints,
    listen: str = "127.0.0.1:8080",
    token: str | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    allow_origin: Annotated[list[str] | None, Parameter(negative="")] = None,
    keep_warm: Switch = False,
    recordings: Path | None = None,
    connections: Annotated[int, Parameter(validator=Number(gte=1))] = LIMITS.connections,
    bind: BindSenders = None,
    duration: Duration = None,
    max_topics: MaxTopics = None,
    max_pixels: MaxPixels = None,
    keys: WithKeys = NO_KEYS,
    insecure: Insecure = False,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show cameras in a browser: a live page, and JPEG streams and snapshots by HTTP.

    Pictures pass as they were encoded, and are taken only while somebody looks.

    Parameters
    ----------
    listen
        HOST:PORT to listen at; port 0 lets the system choose. Where other machines can reach it a
        token is needed; one is made if none is given.
    token
        Secret that visitors must have; they open the address that is printed.
    tls_cert
        Certificate (PEM) for https.
    tls_key
        Its key (PEM).
    allow_origin
        Other site whose pages may use this one, as in https://example.org; may be repeated.
    keep_warm
        Take all pictures all the time, so that the first look finds them there.
    recordings
        Folder of recordings (`framewire record --out FOLDER`) to show and play, too.
    connections
        How many there may be at a time; fewer where the system allows few open files.
    """
    set_up_logging(verbose=verbose)
    limits = replace(LIMITS, connections=connections)
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("a certificate and its key go together: --tls-cert and --tls-key")
    if recordings is not None and not recordings.is_dir():
        raise UsageError(f"there is no folder {recordings}: --recordings wants one")
    address = parse_address(listen)
    if token is None and not address.local:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
    access = Access.at(address, token, allow_origin or ())
    with (
        listen_for_viewers(address, limits) as listener,
        Receiver(
            *endpoints,
            bind=bind or (),
            topics=None,
            keep="newest",
            **keys.given,
            insecure=insecure,
            limits=limits_from(max_topics, max_pixels),
        ) as receiver,
        Running(
            receiver,
            listener,
            access,
            cert=tls_cert,
            key=tls_key,
            warm=keep_warm,
            recordings=recordings,
            limits=limits,
        ) as viewer,
        Stopper(duration=duration) as stop,
    ):
        tls = tls_cert is not None
        url = url_of(address, listener, token, tls=tls)
        if json:
            print_json(event="ready", url=url)
        else:
            print(f"cameras are at {url}", flush=True)
            if recordings is not None:
                print(
                    f"recordings are at {url_of(address, listener, token, tls=tls, page='recordings')}",
                    flush=True,
                )
        while not stop.wait(_LOOK_S):
            viewer.check()
    return EXIT_DONE


def url_of(
    address: Address,
    listener: socket.socket,
    token: str | None = None,
    *,
    tls: bool = False,
    page: str = "",
) -> str:
    """What to open in a browser, with the port that the system chose."""
    host = socket.gethostname() if address.everywhere else address.host
    place = Address(host, listener.getsockname()[1])
    return f"{'https' if tls else 'http'}://{place}/{page}{f'?token={token}' if token else ''}"
