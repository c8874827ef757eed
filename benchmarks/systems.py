"""The systems that the benchmarks compare: each is one row of `SYSTEMS`, used as its documentation shows.

All send JPEG of quality 85 and hand out pictures that are their caller's own. Those that leave the
encoding to their user do it as their examples do: imagezmq with OpenCV; Zenoh, which has none for
pictures, with the codec and the settings of framewire.
"""

import json
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from ends import DISTINCT, MEADOW, QUALITY, SIZES, Image, clip_frames, end_when_asked, ready, rest

LOOPBACK = "127.0.0.1"
PORTS = range(20000, 32768)
TOPIC = "bench"
QUIET_S, PATIENCE_S = 0.5, 20.0  # nothing came for so long: nothing is on its way; at most


@dataclass(frozen=True)
class Place:
    """Where an end stands: its own address and the other's, as it sees them."""

    port: int
    here: str = LOOPBACK
    there: str = LOOPBACK


@dataclass(frozen=True)
class Arrival:
    """A decoded picture and its quality; how to ask for the JPEG bytes that came so far."""

    image: Image
    quality: int = QUALITY
    bytes_so_far: Callable[[], int | None] = lambda: None
    """None: not to be seen."""


Give = Callable[[Image], object]
Arrivals = Iterator[Arrival]


def free_port() -> int:
    """A port that nobody uses now.

    Below those that the system gives to connections: who connects to one of these while nobody
    listens there can reach itself.
    """
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise SystemExit(f"no free port from {PORTS.start} to {PORTS.stop}")


def jpeg(image: Image) -> Image:
    """As the examples of those systems do it that leave the encoding to their user."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]


# -- how each sends and receives: set up at once, so that it is there when the function returns -----


def framewire_send(place: Place, pattern: str, *, copy: bool = True, **options: Any) -> Give:
    """With ``copy=False`` the pictures are given away: nobody may draw on them soon."""
    from framewire.sender import Sender

    address = f"{pattern}+tcp://{place.here}:{place.port}"
    sender = Sender(address, topic=TOPIC, quality=QUALITY, insecure=True, **options)
    return partial(sender.send, copy=copy)


def framewire_receive(place: Place, pattern: str, **options: Any) -> Arrivals:
    from framewire.receiver import Receiver

    receiver = Receiver(f"{pattern}+tcp://{place.there}:{place.port}", **options)

    def received() -> int:
        return receiver.stats.received_bytes

    return (Arrival(frame.image, frame.header.quality, received) for frame in receiver)


def imagezmq_send(place: Place, request: bool) -> Give:
    import imagezmq

    host = place.there if request else place.here
    sender = imagezmq.ImageSender(connect_to=f"tcp://{host}:{place.port}", REQ_REP=request)
    return lambda image: sender.send_jpg(TOPIC, jpeg(image))


def imagezmq_receive(place: Place, request: bool) -> Arrivals:
    import imagezmq

    host = place.here if request else place.there
    hub = imagezmq.ImageHub(open_port=f"tcp://{host}:{place.port}", REQ_REP=request)

    def arrivals() -> Arrivals:
        received = 0
        while True:
            _, data = hub.recv_jpg()
            received += len(data)
            image = cv2.imdecode(np.frombuffer(data, np.uint8), -1)
            yield Arrival(image, bytes_so_far=partial(int, received))
            if request:
                hub.send_reply(b"OK")

    return arrivals()


def netgear(place: Place, pattern: int, **options: Any) -> Any:
    """Either end; the receiver is the one that binds."""
    from vidgear.gears import NetGear

    address = place.here if options.get("receive_mode") else place.there
    return NetGear(address, str(place.port), "tcp", pattern, **options)


def netgear_send(place: Place, pattern: int) -> Give:
    give: Give = netgear(place, pattern, jpeg_compression_quality=QUALITY).send
    return give


def netgear_receive(place: Place, pattern: int) -> Arrivals:
    client = netgear(place, pattern, receive_mode=True)

    def arrivals() -> Arrivals:
        while (image := client.recv()) is not None:
            yield Arrival(image)

    return arrivals()


def zenoh_open(**settings: object) -> Any:
    """A peer that looks for nobody, and sends by TCP as to any machine: not through shared memory."""
    import zenoh

    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("scouting/gossip/enabled", "false")
    config.insert_json5("transport/shared_memory/enabled", "false")
    for name, endpoints in settings.items():
        config.insert_json5(f"{name}/endpoints", json.dumps(endpoints))
    return zenoh.open(config)


def zenoh_send(place: Place, block: bool) -> Give:
    import simplejpeg
    import zenoh

    full = zenoh.CongestionControl.BLOCK if block else zenoh.CongestionControl.DROP
    session = zenoh_open(listen=[], connect=[f"tcp/{place.there}:{place.port}"])
    publisher = session.declare_publisher(TOPIC, congestion_control=full, express=True)

    def give(image: Image) -> None:
        assert session  # which lives as long as this function
        publisher.put(simplejpeg.encode_jpeg(image, QUALITY, "BGR", "420", False))

    return give


def zenoh_receive(place: Place) -> Arrivals:
    import simplejpeg
    import zenoh

    session = zenoh_open(listen=[f"tcp/{place.here}:{place.port}"])
    samples = session.declare_subscriber(TOPIC, zenoh.handlers.FifoChannel(2))

    def arrivals() -> Arrivals:
        received = 0
        with session:
            for sample in samples:
                data = sample.payload.to_bytes()
                received += len(data)
                image = simplejpeg.decode_jpeg(data, "BGR", False, True)
                yield Arrival(image, bytes_so_far=partial(int, received))

    return arrivals()


# -- the table ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class System:
    """How one system sends and receives."""

    title: str
    send: Callable[[Place], Give]
    receive: Callable[[Place], Arrivals]
    connects: bool = True
    """Whether it is the receiver that connects."""
    lossless: bool = False
    """Whether the sender waits for a receiver that is slower than it is."""


Options = Mapping[str, Any]
CAMERA: Options = {"when_full": "newest"}
GIVEN: Options = {**CAMERA, "copy": False}
ALL: Options = {"when_full": "block", "copy": False}
KEPT: Options = {**ALL, "history": 256 << 20}


def _framewire(title: str, options: Options, *, lossless: bool = False, **wanted: Any) -> System:
    """`title` begins with the pattern, as in ``pub-sub, given away``."""
    pattern, comma, more = title.partition(",")
    return System(
        f"framewire `{pattern}`{comma}{more}",
        partial(framewire_send, pattern=pattern, **options),
        partial(framewire_receive, pattern=pattern, **wanted),
        lossless=lossless,
    )


def _imagezmq(title: str, request: bool) -> System:
    send = partial(imagezmq_send, request=request)
    receive = partial(imagezmq_receive, request=request)
    return System(f"imagezmq {title}", send, receive, connects=not request, lossless=request)


def _netgear(title: str, pattern: int) -> System:
    send = partial(netgear_send, pattern=pattern)
    receive = partial(netgear_receive, pattern=pattern)
    return System(f"NetGear {title}", send, receive, connects=False, lossless=pattern == 1)


def _zenoh(title: str, block: bool) -> System:
    send = partial(zenoh_send, block=block)
    return System(f"Zenoh {title}", send, zenoh_receive, connects=False, lossless=block)


SYSTEMS = {
    "pub-sub": _framewire("pub-sub", CAMERA),
    "pub-sub-given": _framewire("pub-sub, given away", GIVEN),
    "pub-sub-all": _framewire('pub-sub, keep="all"', ALL, keep="all"),
    "req-rep": _framewire("req-rep", CAMERA),
    "req-rep-given": _framewire("req-rep, given away", GIVEN),
    "req-rep-one": _framewire("req-rep, one request at a time", CAMERA, credits=1),
    "req-rep-auto": _framewire('req-rep, quality="auto"', CAMERA, quality="auto"),
    "req-rep-all": _framewire('req-rep, keep="all"', KEPT, keep="all"),
    "push-pull": _framewire("push-pull", ALL, lossless=True),
    "imagezmq-pub": _imagezmq("PUB/SUB", request=False),
    "imagezmq-req": _imagezmq("REQ/REP", request=True),
    "netgear-pub": _netgear("PUB/SUB (pattern 2)", pattern=2),
    "netgear-req": _netgear("REQ/REP (pattern 1)", pattern=1),
    "zenoh": _zenoh("DROP", block=False),
    "zenoh-block": _zenoh("BLOCK", block=True),
}


# -- ends that several benchmarks have -------------------------------------------------------------


def supply(name: str, size: str, fps: str, port: str) -> None:
    """An end that sends pictures which are never drawn on, as `Window.ticks` says: tells how many."""
    pictures = list(clip_frames(MEADOW, DISTINCT, SIZES[size]))
    give = SYSTEMS[name].send(Place(int(port)))
    window = ready()
    given = 0
    end_when_asked(lambda: {"given": given, "cpu_ms": window.cpu_ms})
    for number in window.ticks(float(fps)):
        give(pictures[number % DISTINCT])
        given += 1
    rest()


def count(name: str, port: str) -> None:
    """An end that receives as fast as it can: tells how many frames came in the window, and in all."""
    arrivals = SYSTEMS[name].receive(Place(int(port)))
    window = ready()
    within = total = 0
    last_s = window.end_s

    def results() -> dict[str, object]:
        """Once nothing is on its way any more."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < min(deadline_s, last_s + QUIET_S):
            time.sleep(QUIET_S / 10)
        return {"within": within, "total": total, "cpu_ms": window.cpu_ms}

    end_when_asked(results)
    for _ in arrivals:
        last_s = time.monotonic()
        within += last_s in window
        total += 1
