"""How fast a video file becomes JPEG on the wire: framewire beside the loop that one writes first.

    pip install -e '.[bench]'; python benchmarks/transcode.py [CLIP] [--rounds 5] [--seconds 10]

A file of 1920x1080, H.264, made once of CLIP (samples/clips/meadow.mp4), so many seconds long at 30
frames a second. framewire reads it as `framewire send FILE --speed 0` does, with a worker at
push-pull; the loop reads a frame with OpenCV, encodes it with OpenCV, both as they are, and sends it
with pyzmq, one after the other. OpenCV's FFmpeg decodes H.264 in as many threads as there are cores,
so that on two of them this loop uses both already; it stands there once more with one such thread.
*Cores busy* is processor time by the clock: nothing can be faster than all cores at the same work.
Whoever receives takes the packets as they are. Counted is at the
receiver, from the end of the first second of the file to the last frame; the two take turns, and the
figures are ratios to the loop in the same round.
"""

import itertools
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import av
from ends import (
    END,
    FPS,
    MEADOW,
    QUALITY,
    SETTLE_S,
    SIZES,
    START_S,
    Worker,
    clip_frames,
    main_or_end,
    parser,
    take_rounds,
    tell,
    told,
    workers,
)
from report import Column, Table, publish
from systems import LOOPBACK, free_port

SIZE = SIZES["1080p"]
CLIP_FRAMES = 60
LOOP, OURS = "OpenCV and pyzmq, one after the other", "framewire `push-pull`"
ONE_THREAD = "the same, H.264 decoded in one thread"


@dataclass(frozen=True)
class Run:
    """Frames a second, and processor milliseconds of the sending process for each."""

    fps: float
    cpu_ms: float


def make_file(clip: Path, frames: int, path: Path) -> None:
    """H.264 of 1920x1080, of the clip's first pictures over and over."""
    pictures = itertools.cycle(clip_frames(clip, CLIP_FRAMES, SIZE))
    with av.open(path, "w") as video:
        stream = video.add_stream("libx264", FPS, {"preset": "veryfast"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(itertools.islice(pictures, frames)):
            frame = av.VideoFrame.from_ndarray(picture, "bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            video.mux(stream.encode(frame))
        video.mux(stream.encode())


# -- the ends, each in its process ----------------------------------------------------------------


def send(path: str, frames: str, port: str) -> None:
    from framewire.sender import Sender, open_source

    address = f"push-pull+tcp://{LOOPBACK}:{port}"
    with open_source(path, speed=0) as source, Sender(address, when_full="block") as sender:
        began_s = begin()
        for frame in source:
            sender.send(frame, copy=False)
        sender.close(START_S)
        took_s = time.process_time() - began_s
    tell(cpu_ms=took_s * 1000 / int(frames))


def receive(frames: str, port: str) -> None:
    from framewire.receiver import Receiver

    with Receiver(f"push-pull+tcp://{LOOPBACK}:{port}", timeout=START_S) as receiver:
        tell(ready=True)
        clock(receiver.packets(), int(frames))


def send_one_thread(path: str, frames: str, port: str) -> None:
    send_bare(path, frames, port, cv2.CAP_PROP_N_THREADS, 1)


def send_bare(path: str, frames: str, port: str, *options: int) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.bind(f"tcp://{LOOPBACK}:{port}")
        video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, options)
        began_s = begin()
        while True:
            found, image = video.read()
            if not found:
                break
            data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
            socket.send(data, copy=False)
        socket.close(round(START_S * 1000))
        took_s = time.process_time() - began_s
    tell(cpu_ms=took_s * 1000 / int(frames))


def receive_bare(frames: str, port: str) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.setsockopt(zmq.RCVTIMEO, round(START_S * 1000))
        socket.connect(f"tcp://{LOOPBACK}:{port}")
        tell(ready=True)
        clock(iter(socket.recv, None), int(frames))


def begin() -> float:
    """When it is time; the processor seconds that starting took."""
    tell(ready=True)
    told()
    return time.process_time()


def clock(packets: Iterator[object], frames: int) -> None:
    for _ in itertools.islice(packets, FPS):
        began_s = time.monotonic()
    for _ in itertools.islice(packets, frames - FPS):
        ended_s = time.monotonic()
    tell(fps=(frames - FPS) / (ended_s - began_s))


ENDS = {
    LOOP: (send_bare, receive_bare),
    ONE_THREAD: (send_one_thread, receive_bare),
    OURS: (send, receive),
}


# -- what is measured -----------------------------------------------------------------------------


def measure(name: str, path: Path, frames: int) -> Run:
    from_, to = ENDS[name]
    port = free_port()
    with workers() as start:

        def start_end(end: Callable[..., None], *arguments: object) -> Worker:
            worker = start(subprocess.Popen, __file__, END, end.__name__, *arguments)
            worker.heard()
            return worker

        receiver = start_end(to, frames, port)
        sender = start_end(from_, path, frames, port)
        time.sleep(SETTLE_S)
        sender.say("begin")
        return Run(receiver.heard()["fps"], sender.heard()["cpu_ms"])


def main() -> None:
    command = parser(__doc__, seconds=10)
    command.add_argument("clip", nargs="?", type=Path, default=MEADOW)
    told = command.parse_args()
    frames = max(2 * FPS, round(told.seconds * FPS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        make_file(told.clip, frames, path)
        taken = take_rounds(told.rounds, list(ENDS), lambda name: measure(name, path, frames))
    columns = [
        Column("frames/s / the loop", goal=">= 1.7"),
        Column("frames/s / its with one thread"),
        Column("CPU a frame / the loop"),
        Column("cores busy"),
    ]
    made = Table("H.264 of 1920x1080 to JPEG", columns)
    for name in ENDS:
        rounds = [(each[name], each[LOOP], each[ONE_THREAD]) for each in taken if len(each) == 3]
        made.add(
            name,
            [run.fps / loop.fps for run, loop, _ in rounds],
            [run.fps / one.fps for run, _, one in rounds],
            [run.cpu_ms / loop.cpu_ms for run, loop, _ in rounds],
            [run.cpu_ms * run.fps / 1000 for run, _, _ in rounds],
        )
    publish("transcode", [made])


if __name__ == "__main__":
    main_or_end(main, send, receive, send_bare, send_one_thread, receive_bare)
