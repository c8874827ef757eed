"""Make the sample clips, from nothing but arithmetic: python samples/make_clips.py [FOLDER [CLIP ...]]

Seeds are fixed and the encoder has one thread, so on one machine the same versions of NumPy, OpenCV
and PyAV write the same bytes again. clips/README.md says what each clip is for.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import cos, hypot, pi, sin
from pathlib import Path
from typing import Any

import cv2  # before av: in a process that loads PyAV first, cv2.imshow hangs for ever
import av
import numpy as np
from numpy.typing import NDArray

from framewire.common.frame import Header, Image, Packet
from framewire.common.jpeg import encode as encode_jpeg
from framewire.common.recording_writer import RecordingWriter
from framewire.common.testchart import draw_number
from framewire.common.wire import checksum

Field = NDArray[np.floating[Any]]
"""Noise or light, (height, width) or (height, width, channels) in OpenCV's order; white is 1."""

Rng = np.random.Generator

# ---- Encoding ------------------------------------------------------------------------------------


def encode(
    target: Path, size: tuple[int, int], crf: int, frames: Iterable[tuple[int, Image]]
) -> int:
    """Write `frames`, pairs of a time in ms and BGR pixels, as H.264; return how many there were."""
    milliseconds, count = Fraction(1, 1000), 0
    container_options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(target), "w", format="mp4", options=container_options) as container:
        stream = container.add_stream("libx264", 25, options={"crf": str(crf), "preset": "slow"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = milliseconds
        stream.codec_context.thread_count = 1  # with more, the bytes depend on the number of cores
        for at_ms, image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = at_ms, milliseconds
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode())
    return count


# ---- meadow.mp4: the texture and motion of nature, in a loop -------------------------------------
# Whatever moves is a function of the turn, from 0 to 1, that is the same at both ends.

WIDTH, HEIGHT, FRAMES, FRAME_MS = 640, 360, 200, 40
MARGIN = 14  # the scene is this much wider than the picture, for the sway of the hand
SCENE_W, SCENE_H = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN
HORIZON = 206
TREE_X, TREE_Y = 485, HORIZON + 34
TILE = 1024  # side of the noise fields, px
SHARP = 4  # sprites are drawn this much larger and shrunk, which softens their edges
Y, X = np.mgrid[:SCENE_H, :SCENE_W].astype(np.float32)


def bgr(code: int) -> Field:
    """The colour 0xRRGGBB."""
    return np.array([code & 255, code >> 8 & 255, code >> 16], np.float32) / 255


HAZE = bgr(0xC4D5E2)
FLOWERS = (  # petals, heart, radius as a share of the height of the grass, how rare
    (bgr(0xF3EFE2), bgr(0xE5B93A), 0.028, 0.3),
    (bgr(0xEBC22E), bgr(0xC9921E), 0.022, 0.65),
    (bgr(0xCF3A24), bgr(0x4A1512), 0.042, 1.0),
)


def mix(a: Field | float, b: Field | float, share: Field | float) -> Field:
    return np.asarray(a + (b - a) * share)


def ink(colour: Field) -> tuple[float, ...]:
    """`colour` for OpenCV to draw with, opaque."""
    return (*(colour.clip(0, 1) * 255).tolist(), 255.0)


def smoothstep(low: float, high: float, x: Field) -> Field:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def fractal(rng: Rng, slope: float, longest: float = TILE, height: int = TILE) -> Field:
    """Noise of 1/f**slope amplitude without waves over `longest` px; variance 1, edges that meet."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(TILE))
    f[f < 1 / longest] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((height, TILE))) / f**slope
    field = np.fft.irfft2(spectrum, s=(height, TILE))
    return np.asarray(field / field.std(), np.float32)


def sample(field: Field, u: Field, v: Field | float, border: int = cv2.BORDER_WRAP) -> Field:
    """`field`, tiled without end or as `border` says, at the points (u, v) in px."""
    u, v = (m.astype(np.float32) for m in np.broadcast_arrays(u, v))
    return np.asarray(cv2.remap(field, u, v, cv2.INTER_LINEAR, borderMode=border))


def drift(fields: list[Field], u: Field, v: Field, travel: float, turn: float) -> Field:
    """Noise that drifts one way for ever and yet repeats.

    Two fields drift by `travel` px, half a turn apart, and each jumps back while it is faded out.
    """
    phases = turn, (turn + 0.5) % 1
    a, b = (sin(pi * phase) ** 2 for phase in phases)
    one, other = (sample(f, u - travel * p, v) for f, p in zip(fields, phases, strict=True))
    return (a * one + b * other) / hypot(a, b)  # a mean would pale in the middle of a fade


def make_sky(rng: Rng) -> Callable[[float], Field]:
    """Clouds that lie in a plane above us, lit from the upper left."""
    height = np.clip(HORIZON + 10 - Y, 0, None)
    air = mix(bgr(0xDCE8EE), bgr(0x3F7CBD), (height / HORIZON).clip(0, 1)[..., None] ** 0.7)
    clear = (1 - 0.6 * np.exp(-height / 40))[..., None]
    z = 150 / (height + 60)
    u, v = (X - 250) * z, 330 * z
    seeds = rng.integers(1000, size=2)
    clouds, bulk = (  # one seed gives the same waves; in the bulk the short ones are weaker
        [fractal(np.random.default_rng(seed), slope, 400) for seed in seeds]
        for slope in (1.75, 2.4)
    )

    def sky(turn: float) -> Field:
        here = drift(clouds, u, v, 40, turn)
        sunward = drift(clouds, u - 6, v + 10, 40, turn)
        above = drift(bulk, u - 6, v + 16, 40, turn)
        shade = smoothstep(-1.3, 3.2, above + 1.5 * (sunward - here))[..., None]
        cloud = mix(bgr(0xFFFDF8), bgr(0x8796AC), shade)
        return mix(air, cloud, smoothstep(0.1, 1.2, here)[..., None] * clear)

    return sky


def make_sunlight(rng: Rng) -> Callable[[float], Field]:
    """The light on the land: shadows of clouds pass over it, and the tree throws one."""
    fields = [fractal(rng, 1.9, 400) for _ in range(2)]
    z = 60 / (np.clip(Y - HORIZON, 0, None) + 18)
    u, v = (X - 300) * z, 200 * z + 4 * np.clip(HORIZON - Y, 0, None)
    near = mix(0.2, 1, smoothstep(-20, 15, Y - HORIZON))
    tree = 0.75 * np.exp(-(((X - TREE_X - 50) / 60) ** 2) - ((Y - TREE_Y - 5) / 9) ** 2)

    def sunlight(turn: float) -> Field:
        shadow = near * smoothstep(-0.2, 1.6, drift(fields, u, v, 200, turn))
        shadow = 1 - (1 - shadow) * (1 - tree)
        return mix(bgr(0x1D1B19) * 10.2, bgr(0x16181B) * 6, shadow[..., None])

    return sunlight


def make_hills(rng: Rng) -> tuple[Field, Field]:
    """The land behind the meadow, and where it covers the sky."""
    land, cover = np.zeros((SCENE_H, SCENE_W, 3), np.float32), np.zeros_like(X[..., None])
    for base, relief, wood, field, haze in (  # from far to near
        (HORIZON - 34, 10, 0x4A6B78, 0x5F8088, 0.62),
        (HORIZON - 16, 6, 0x3F6248, 0x86A05C, 0.40),
        (HORIZON - 3, 3, 0x3C6230, 0x8FAA50, 0.20),
    ):
        treetops = 0.8 * fractal(rng, 0.5, height=1)
        ridge = (base - relief * fractal(rng, 1.6, height=1) - treetops)[:, :SCENE_W]
        patches = sample(fractal(rng, 1.5, 300), X, (Y - ridge) * 4)[..., None]
        grain = sample(fractal(rng, 0.7), X, Y * 1.6)[..., None]
        colour = mix(bgr(wood), bgr(field), smoothstep(-1.6, 1.8, patches))
        inside = (Y - ridge).clip(0, 1)[..., None]
        land = mix(land, mix(colour * (1 + 0.1 * grain), HAZE, haze), inside)
        cover = mix(cover, 1, inside)
    return land, cover


@dataclass(frozen=True)
class Layer:
    """Plants with their roots in one line; the sprite is as wide as the scene and premultiplied."""

    sprite: Field
    root: int
    height: int
    flex: float
    phase: float

    def paint(self, scene: Field, turn: float, wind: Field, light: Field) -> None:
        """Bend in the wind and cover what lies behind, in place."""
        tall = len(self.sprite)
        top, bottom = self.root - tall, min(self.root, SCENE_H)
        x, y = X[: bottom - top], Y[: bottom - top]
        z = 100 / (self.root - HORIZON + 12)
        gust = sample(wind, X[:1] * z - TILE * turn, 60 * z)
        flutter = np.sin(2 * pi * (9 * turn + X[:1] / (2.5 * self.height) + self.phase))
        rustle = sample(wind, x * 9 / self.height**0.5 - 2 * TILE * turn, y + 99 * self.phase)
        bend = self.flex * (0.5 + gust + 0.2 * flutter + 0.15 * rustle)
        up = ((tall - y) / self.height).clip(0, 1)
        u = x - bend * self.height * up**1.6
        v = y - 0.4 * bend**2 * self.height * up
        bent = sample(self.sprite, u, v, cv2.BORDER_REFLECT)
        glint = (1 + 0.5 * bend * up)[..., None]
        part = scene[top:bottom]
        part *= 1 - bent[..., 3:]
        part += bent[..., :3] * light[bottom - 1] * glint


def blank(tall: int) -> Image:
    return np.zeros((tall * SHARP, SCENE_W * SHARP, 4), np.uint8)


def shrink(canvas: Image) -> Field:
    size = canvas.shape[1] // SHARP, canvas.shape[0] // SHARP
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def fill(canvas: Image, outline: NDArray[np.float64], colour: Field) -> None:
    cv2.fillPoly(canvas, [(outline * SHARP).astype(np.int32)], ink(colour))


def dot(
    canvas: Image, x: float, y: float, radius: float, flat: float, tilt: float, colour: Field
) -> None:
    axes = max(1, round(radius * SHARP)), max(1, round(radius * flat * SHARP))
    at = int(x * SHARP), int(y * SHARP)
    cv2.ellipse(canvas, at, axes, tilt, 0, 360, ink(colour), -1)


def draw_blade(canvas: Image, rng: Rng, x: float, height: int, dry: float) -> None:
    t = np.linspace(0, 1, 6)
    long = height * rng.uniform(0.5, 1.0)
    half = max(0.5, height * 0.022) * (1 - t**1.5)
    xs = x + rng.normal(0, 0.28) * long * t**2
    ys = canvas.shape[0] / SHARP - long * t
    colour = mix(bgr(0x587F30), bgr(0xB0AF5C), min(max(0.4 + 0.3 * dry, 0), 1))
    colour = colour * rng.uniform(0.7, 1.15) + rng.normal(0, 0.02, 3)
    fill(canvas, np.r_[np.c_[xs - half, ys], np.c_[xs + half, ys][::-1]], colour)


def draw_flower(canvas: Image, rng: Rng, x: float, height: int, fertile: float) -> None:
    petals, heart, radius, rare = FLOWERS[rng.integers(len(FLOWERS))]
    if fertile < rare:
        return
    long, root, half = height * rng.uniform(0.75, 1.25), canvas.shape[0] / SHARP, height / 110
    head_x, head_y = x + rng.normal(0, 0.1) * long, root - long
    stem = np.array([[x - half, root], [x + half, root], [head_x + half, head_y], [head_x, head_y]])
    fill(canvas, stem, bgr(0x6F8A3A))
    radius = max(0.7, height * radius) * rng.uniform(0.7, 1.1)
    flat, tilt = rng.uniform(0.5, 0.8), rng.normal(0, 25)
    dot(canvas, head_x, head_y, radius, flat, tilt, petals * rng.uniform(0.85, 1.05))
    dot(canvas, head_x, head_y, radius * 0.35, flat, tilt, heart)


def make_grass(rng: Rng, root: int, soil: Field) -> Layer:
    depth = root - HORIZON
    height = int(0.4 * depth + 2)
    tall = int(height * 1.5)
    canvas = blank(tall)
    z = 100 / (depth + 12)
    ground = sample(soil, X[:1] * z, 60 * z)[0]  # alike in neighbouring rows
    for x in rng.integers(SCENE_W, size=int(1500 / (1 + height / 14) + 250)):
        draw_blade(canvas, rng, x + rng.uniform(), height, ground[x])
    for x in rng.integers(SCENE_W, size=int(90 / (1 + height / 60))):
        draw_flower(canvas, rng, x + rng.uniform(), height, ground[::-1][x])
    sprite = shrink(canvas)
    up = ((tall - np.arange(tall)) / height).clip(0, 1)[:, None, None]
    lit = sprite[..., :3] * (0.42 + 0.75 * up**0.8)  # little light comes down to the roots
    sprite[..., :3] = mix(lit, HAZE * sprite[..., 3:], 5 / (depth + 20))
    return Layer(sprite, root, height, flex=0.11, phase=rng.uniform())


def make_tree(rng: Rng, x: float, root: int, height: int) -> Layer:
    tall = int(height * 1.1)
    canvas = blank(tall)
    ups, halves = np.array([0, 0.2, 0.6]), np.array([0.042, 0.023, 0.01])
    trunk = np.r_[np.c_[-halves, ups], np.c_[halves, ups][::-1]]
    fill(canvas, [x, tall] + trunk * [height, -height], bgr(0x3A3024))

    def directions(count: int) -> NDArray[np.float64]:
        out = rng.normal(0, 1, (count, 3))
        return np.asarray(out / np.linalg.norm(out, axis=1)[:, None])

    leaves = []  # depth, up, right, light
    for bough in directions(90) * rng.uniform(0.4, 1, (90, 1)) * [0.43, 0.3, 0.36]:
        out = directions(20 + 2 * height)
        at = bough + out * rng.gamma(25, 1 / 25, (len(out), 1)) * rng.uniform(0.03, 0.09)
        light = 0.33 * out @ [-0.55, 0.65, 0.5] + 0.53 * at @ [-0.8, 1, 0.8]
        leaves += [(*leaf[::-1], lit) for leaf, lit in zip(at, light, strict=True)]
    for _, up, right, lit in sorted(leaves):
        colour = mix(bgr(0x22351B), bgr(0x9DAE4C), min(max(0.35 + lit + rng.normal(0, 0.13), 0), 1))
        radius = 0.028 * height**0.75 * rng.uniform(0.7, 1.5)
        leaf_x, leaf_y = x + (right + 0.03) * height, tall - (up + 0.6) * height
        dot(canvas, leaf_x, leaf_y, radius, 0.7, rng.uniform(0, 180), colour)
    return Layer(shrink(canvas), root, height, flex=0.014, phase=rng.uniform())


def make_plants(rng: Rng) -> list[Layer]:
    """From far to near."""
    soil = fractal(rng, 1.2, 300)
    layers = [make_grass(rng, HORIZON + int(d), soil) for d in np.geomspace(8, 260, 44)]
    layers.append(make_tree(rng, TREE_X, TREE_Y, 150))
    for x in (30, 52, 66, 150, 163, 240, 330, 352, 560, 585, 600, 622):
        root, height = rng.integers((HORIZON + 2, 14), (HORIZON + 9, 26)).tolist()
        layers.append(make_tree(rng, x, root, height))
    return sorted(layers, key=lambda layer: layer.root)


def draw_birds(scene: Field, turn: float) -> None:
    mask = np.zeros(scene.shape[:2], np.uint8)
    for i in range(3):
        x, y = (turn + 0.27) % 1 * 900 - 100 - 22 * i, 70 - 25 * sin(pi * turn) + 9 * i
        span, beat = 7 - i, sin(2 * pi * (23 + 2 * i) * turn)
        half = np.array([[1, -0.5 * beat], [0.5, -0.35 * beat - 0.12], [0, 0]]) * span
        wings = [x, y] + np.r_[half, half[::-1] * [-1, 1]]
        cv2.polylines(mask, [(wings * 16).astype(np.int32)], False, 255, 1, cv2.LINE_AA, shift=4)
    scene *= 1 - 0.75 * mask[..., None].astype(np.float32) / 255


def film(scene: Field, turn: float, rng: Rng) -> Image:
    """What a small camera in a hand makes of it: sway, darker corners, noise."""
    a = 2 * pi * turn
    sway = cv2.getRotationMatrix2D((SCENE_W / 2, SCENE_H / 2), 0.25 * sin(a + 1), 1)
    sway[0, 2] += 3.5 * sin(a) + 1.5 * sin(3 * a + 1) + 0.4 * sin(11 * a) - MARGIN
    sway[1, 2] += 2.5 * sin(2 * a + 2) + 0.5 * sin(9 * a) - MARGIN
    seen = cv2.warpAffine(scene, sway, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    x, y = X[:HEIGHT, :WIDTH] / WIDTH - 0.5, Y[:HEIGHT, :WIDTH] / WIDTH - 0.28
    seen = seen * (1 - 0.45 * (x * x + y * y))[..., None]
    seen = seen + rng.normal(0, 0.006, (HEIGHT, WIDTH, 1))
    return np.asarray(seen.clip(0, 1) * 255, np.uint8)


def meadow_frames() -> Iterator[tuple[int, Image]]:
    rng = np.random.default_rng(10)
    sky, sunlight, (land, cover) = make_sky(rng), make_sunlight(rng), make_hills(rng)
    plants, wind = make_plants(rng), fractal(rng, 1.6, 400)
    for number in range(FRAMES):
        turn = number / FRAMES
        light = sunlight(turn)
        scene = sky(turn) * (1 - cover) + land * light
        draw_birds(scene, turn)
        for layer in plants:
            layer.paint(scene, turn, wind, light)
        yield number * FRAME_MS, film(scene, turn, rng)


def make_meadow(target: Path) -> int:
    return encode(target, (WIDTH, HEIGHT), 27, meadow_frames())


# ---- timecode.mp4: a variable frame rate, and frames that say which and when they are -------------


def irregular_times() -> list[int]:
    """In ms: about 25 a second and 20 to 80 apart, but for one gap of 250."""
    gaps = np.random.default_rng(379).triangular(20, 25, 80, size=142).round().astype(int)
    gaps[70] = 250
    return [0, *np.cumsum(gaps).tolist()]


def timecode_frame(number: int, at_ms: int) -> Image:
    t = at_ms / 1000
    y, x = np.mgrid[:270, :480]
    waves = [105 + 50 * np.sin(x / 60 + 1.5 * np.sin(y / 50 + t) + t + hue) for hue in (0, 1, 2)]
    image = np.ascontiguousarray(np.dstack(waves).astype(np.uint8))
    middle, white, black = (105, 150), (255, 255, 255), (20, 20, 20)
    hand = round(105 + 62 * sin(2 * pi * t)), round(150 - 62 * cos(2 * pi * t))  # a turn a second
    cv2.circle(image, middle, 78, black, -1, cv2.LINE_AA)
    cv2.circle(image, middle, 72, white, 2, cv2.LINE_AA)
    cv2.line(image, middle, hand, white, 4, cv2.LINE_AA)
    cv2.rectangle(image, (205, 92), (465, 208), black, -1)
    for text, row in ((f"{t:.3f} s", 138), (f"frame {number}", 190)):
        cv2.putText(image, text, (220, row), cv2.FONT_HERSHEY_SIMPLEX, 1.2, white, 2, cv2.LINE_AA)
    draw_number(image, number)
    return image


def make_timecode(target: Path) -> int:
    frames = ((ms, timecode_frame(number, ms)) for number, ms in enumerate(irregular_times()))
    return encode(target, (480, 270), 26, frames)


# ---- yard.mkv: a recording, as `framewire record` writes it ---------------------------------------

RECORDED_FRAMES, LOST = 50, (20, 21)
BEGAN_NS = 1_769_868_300_000_000_000  # 2026-01-31 14:05:00 UTC


def recorded_packets() -> Iterator[Packet]:
    """The time code again, with metadata, and with two frames that were lost on the way."""
    for number, at_ms in enumerate(irregular_times()[:RECORDED_FRAMES]):
        if number in LOST:
            continue
        jpeg = encode_jpeg(timecode_frame(number, at_ms), 70)
        header = Header(
            topic="lab/yard",
            sender="5a3c0ffee5a3c0ff",
            sequence=number,
            captured_ns=BEGAN_NS + at_ms * 1_000_000,
            monotonic_ns=1_000_000_000 + at_ms * 1_000_000,
            sent_ns=BEGAN_NS + at_ms * 1_000_000 + 4_000_000,
            width=480,
            height=270,
            channels=3,
            codec="jpeg",
            quality=70,
            crc32=checksum(jpeg),
            metadata={"exposure_ms": 4 + number % 5, "gate": "closed" if number < 30 else "open"},
        )
        yield Packet(header, jpeg)


def make_recording(target: Path) -> int:
    packets = list(recorded_packets())
    writer = RecordingWriter(target, packets[0].header)
    for packet in packets:
        writer.write(packet)
    writer.close()
    return len(packets)


# ---- The table -----------------------------------------------------------------------------------

CLIPS: dict[str, Callable[[Path], int]] = {  # each writes its clip and returns its frames
    "meadow.mp4": make_meadow,
    "timecode.mp4": make_timecode,
    "yard.mkv": make_recording,
}


def main(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or CLIPS:
        make = CLIPS[name]
        frames = make(folder / name)
        print(f"{name}: {frames} frames, {(folder / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "clips", *sys.argv[2:])
