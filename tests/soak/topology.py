r"""Who is there, and which way frames go from whom to whom.

camera -> cam ----------> relay ----> watch (every frame)
              \    hall ---^  | \---> web, with its recordings
               \-> direct     \-----> record <-------- history, by req-rep
                   (newest)                               \-> bound (a receiver that binds)
jobs ---> worker-1, worker-2 ---> results
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults.proxy import FaultProxy
from processes import CLIPS, free_port
from soak.camera import Camera
from soak.keyring import Keyring
from soak.part import Part
from soak.recordings import record_hall

__all__ = ["Flow", "Topology", "build"]

_CLIP, _CLIP_FRAMES = CLIPS / "timecode.mp4", 143
_PATTERN = "pattern:320x240@10"


@dataclass(frozen=True, slots=True)
class Flow:
    """A topic at one of those who take it, and all that it passes on its way there."""

    part: str
    topic: str
    way: tuple[str, ...]
    """Parts, links ``a>b``, and the camera: without one of them nothing comes."""
    beside: tuple[str, ...] = ()
    """Those of which there are several: without one of them, less may come."""
    whole: bool = False
    """Every frame is to come that was not lost with a process."""

    @property
    def sender(self) -> str:
        """The part that it begins with."""
        return next(each for each in self.way if each != "camera")


@dataclass(slots=True)
class Topology:
    """All of it, as long as `build`'s block lasts."""

    folder: Path
    mark: str
    """By which its processes are known."""
    camera: Camera
    keys: Keyring
    parts: dict[str, Part] = field(default_factory=dict)
    links: dict[str, FaultProxy] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    """Where each part listens, by ``part`` or ``part:what``."""
    flows: list[Flow] = field(default_factory=list)

    @property
    def recordings(self) -> Path:
        return self.folder / "recordings"


def _ways() -> Iterator[Flow]:
    relayed = {
        "yard/cam": ("camera", "cam", "cam>relay", "relay"),
        "hall/left": ("hall", "hall>relay", "relay"),
        "hall/right": ("hall", "hall>relay", "relay"),
    }
    for part in ("watch", "web", "record"):
        for topic, way in relayed.items():
            yield Flow(part, topic, (*way, f"relay>{part}", part))
    yield Flow("direct", "yard/cam", ("camera", "cam", "cam>direct", "direct"))
    yield Flow("record", "lab", ("history", "history>record", "record"), whole=True)
    yield Flow("bound", "lab", ("history", "history>bound", "bound"))
    workers = [
        name for i in (1, 2) for name in (f"jobs>worker-{i}", f"worker-{i}", f"worker-{i}>results")
    ]
    yield Flow("results", "timecode", ("jobs", "results"), tuple(workers))


_RULES = {
    "watch": '{"yard/cam": "rising", "hall/left": "equal", "hall/right": "equal"}',
    "direct": '{"yard/cam": "rising"}',
    "bound": '{"lab": "equal"}',
    "results": f'{{"timecode": "cycle {_CLIP_FRAMES}"}}',
}


@contextmanager
def build(folder: Path, mark: str, complain: Callable[[str, str], None]) -> Iterator[Topology]:
    """Lays the links, and makes the parts; nothing is started yet."""
    with ExitStack() as stack:
        camera = stack.enter_context(Camera().running())
        made = Topology(folder, mark, camera, Keyring(folder / "keys"))
        made.recordings.mkdir()
        hall = record_hall(folder / "hall")
        for name in ("cam", "hall", "history", "relay", "bound", "jobs", "results", "web"):
            made.ports[name] = free_port()

        def link(sender: str, receiver: str, *, binds: str | None = None, pattern: str = "") -> str:
            target = made.ports[binds or sender]
            proxy = stack.enter_context(FaultProxy(("127.0.0.1", target), free_port()))
            made.links[f"{sender}>{receiver}"] = proxy
            return f"{pattern}tcp://127.0.0.1:{proxy.port}"

        def at(name: str, pattern: str = "") -> str:
            return f"{pattern}tcp://127.0.0.1:{made.ports[name]}"

        def part(name: str, *arguments: str, codes: tuple[int, ...] = (0,)) -> None:
            made.parts[name] = Part(
                name, *arguments, folder=folder, mark=mark, codes=codes, complain=complain
            )

        def keys(name: str, to: tuple[str, ...] = (), lets_in: tuple[str, ...] = ()) -> list[str]:
            return made.keys.arguments(name, to=to, lets_in=lets_in)

        measured = ("--metrics", "127.0.0.1:0", "--json")
        ask, push = "req-rep+", "push-pull+"
        part(
            "cam", "framewire", "send", made.camera.url, "--topic", "yard/cam", "--bind", at("cam"),
            *keys("cam", lets_in=("relay", "direct")), *measured,
        )  # fmt: skip
        part(
            "hall", "framewire", "replay", *hall, "--loop", "--bind", at("hall"),
            *keys("hall", lets_in=("relay",)), *measured,
        )  # fmt: skip
        part(
            "history", "framewire", "send", _PATTERN, "--topic", "lab", "--history", "16M",
            "--bind", at("history", ask), "--connect", link("history", "bound", binds="bound"),
            *keys("history", to=("bound",), lets_in=("record",)), *measured,
        )  # fmt: skip
        part(
            "relay", "framewire", "relay", "--from", link("cam", "relay"),
            "--from", link("hall", "relay"), "--bind", at("relay"),
            *keys("relay", to=("cam", "hall"), lets_in=("watch", "web", "record")), *measured,
        )  # fmt: skip
        part(
            "record", "framewire", "record", link("history", "record", pattern=ask), link("relay", "record"),
            "--all", "--segment", "30s", "--out", str(made.recordings),
            *keys("record", to=("history", "relay")), *measured, codes=(0, 3),
        )  # fmt: skip
        part(
            "web", "framewire", "web", link("relay", "web"), "--listen", f"127.0.0.1:{made.ports['web']}",
            "--recordings", str(made.recordings), *keys("web", to=("relay",)), "--json",
        )  # fmt: skip
        part(
            "watch", "soak.checking", link("relay", "watch"), "--rules", _RULES["watch"],
            *keys("watch", to=("relay",)),
        )  # fmt: skip
        part(
            "direct", "soak.checking", link("cam", "direct"), "--newest", "--rules", _RULES["direct"],
            *keys("direct", to=("cam",)),
        )  # fmt: skip
        part(
            "bound", "soak.checking", "--bind", at("bound"), "--rules", _RULES["bound"],
            *keys("bound", lets_in=("history", "insider")),
        )  # fmt: skip
        part(
            "outsiders", "soak.outsiders", at("cam"), at("hall"), at("relay"), at("history", ask),
            *keys("outsiders", to=("cam", "hall", "relay", "history")),
            "--publish", at("bound"), "--publish-key", str(made.keys.public("bound")),
        )  # fmt: skip
        # These without keys: so that also what no cipher guards is hurt.
        part(
            "jobs", "framewire", "send", str(_CLIP), "--loop", "--bind", at("jobs", push), *measured
        )
        part(
            "results", "soak.checking", "--bind", at("results", push), "--rules", _RULES["results"]
        )
        for name in ("worker-1", "worker-2"):
            results = link(name, "results", binds="results", pattern=push)
            part(name, "soak.working", link("jobs", name, pattern=push), results)
        made.flows.extend(_ways())
        yield made
