"""Make the sample clips out of nothing but arithmetic: python samples/make_clips.py [folder].

Seeds are fixed and the encoder has one thread, so the same versions of NumPy, OpenCV and PyAV write
the same bytes.
"""

# cv2 before av: where PyAV is loaded first, cv2.imshow hangs for ever.
import cv2

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import cos, pi, sin
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from framewire.common.frame import Image
from framewire.common.testchart import draw_number

Field = NDArray[np.float32]
"""Light or noise: (height, width), or (height, width, channels) in OpenCV's order, white being 1."""

Rng = np.random.Generator

# ---- Encoding ------------------------------------------------------------------------------------


def encode(
    target: Path, frames: Iterable[tuple[int, Image]], width: int, height: int, crf: int
) -> None:
    """Write `frames`, pairs of a time in ms and BGR pixels, as H.264."""
    milliseconds = Fraction(1, 1000)
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(target), "w", options=options) as container:
        stream = container.add_stream("libx264", options={"crf": str(crf), "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = milliseconds
        stream.codec_context.thread_count = 1  # more threads cut the picture elsewhere
        for at_ms, image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = at_ms, milliseconds
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


# ---- meadow.mp4: natural texture and motion, in a loop -------------------------------------------
# All that moves is a function of the turn, 0 to 1, and the same at both ends.

WIDTH, HEIGHT, FRAMES, FRAME_MS = 640, 360, 200, 40
MARGIN = 14  # the scene is larger than the picture, for the sway of the hand
SCENE_W, SCENE_H = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN
HORIZON = 206
TREE_X, TREE_Y, TREE_HEIGHT = 485, HORIZON + 34, 150
TILE = 1024
SHARP = 4  # sprites are drawn this much larger and shrunk, which gives them soft edges
HAZE = 0xC4D5E2

Y, X = np.mgrid[:SCENE_H, :SCENE_W].astype(np.float32)


def bgr(code: int) -> Field:
    """The colour 0xRRGGBB."""
    return np.array([code & 255, code >> 8 & 255, code >> 16], np.float32) / 255


def mix(a: Field, b: Field, share: Field | float) -> Field:
    return a + (b - a) * share


def smoothstep(low: float, high: float, x: Field) -> Field:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def fractal(rng: Rng, slope: float, longest: float = TILE, height: int = TILE) -> Field:
    """Noise with 1/f**slope amplitude and no wave over `longest` px; its edges meet."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(TILE))
    f[f < 1 / longest] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((height, TILE))) / f**slope
    field = np.fft.irfft2(spectrum, s=(height, TILE))
    return (field / field.std()).astype(np.float32)


def sample(field: Field, u: Field, v: Field) -> Field:
    """`field`, endlessly tiled, at the points (u, v) px."""
    shape = np.broadcast_shapes(u.shape, v.shape)
    maps = [np.broadcast_to(m, shape).astype(np.float32) for m in (u, v)]
    return cv2.remap(field, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def drift(fields: tuple[Field, Field], u: Field, v: Field, travel: float, turn: float) -> Field:
    """Noise that always drifts one way and yet repeats.

    Two fields drift by `travel` px half a turn apart; each jumps back while it is faded out.
    """
    phases = turn, (turn + 0.5) % 1
    weights = [sin(pi * phase) ** 2 for phase in phases]
    moved = [sample(f, u - travel * p, v) for f, p in zip(fields, phases, strict=True)]
    power = np.hypot(*weights)  # keeps the contrast in the middle of a fade
    return (weights[0] * moved[0] + weights[1] * moved[1]) / np.float32(power)


def make_sky(rng: Rng) -> Callable[[float], Field]:
    height = np.clip(HORIZON + 10 - Y, 0, None)
    air = mix(bgr(0xDCE8EE), bgr(0x3F7CBD), np.clip(height / HORIZON, 0, 1)[..., None] ** 0.7)
    z = 150 / (height + 60)  # the clouds lie in a plane above us
    u, v = (X - 250) * z, 330 * z
    seeds = rng.integers(1000, size=2)
    clouds, bulk = (  # the same waves, but in the bulk the short ones are weaker
        (fractal(np.random.default_rng(seeds[0]), slope, 400), fractal(np.random.default_rng(seeds[1]), slope, 400))
        for slope in (1.75, 2.4)
    )
    far = (1 - 0.6 * np.exp(-height / 40))[..., None]

    def at(turn: float) -> Field:
        thick = drift(clouds, u, v, 40, turn)
        towards_sun = drift(clouds, u - 6, v + 10, 40, turn)
        inside = drift(bulk, u - 6, v + 16, 40, turn)
        shade = smoothstep(-1.3, 3.2, inside + 1.5 * (towards_sun - thick))[..., None]
        white = mix(bgr(0xFFFDF8), bgr(0x8796AC), shade)
        return mix(air, white, smoothstep(0.1, 1.2, thick)[..., None] * far)

    return at


def make_hills(rng: Rng) -> tuple[Field, Field]:
    """The land that does not move, and where it covers the sky."""
    land, cover = np.zeros((SCENE_H, SCENE_W, 3), np.float32), np.zeros_like(X)
    for base, relief, wood, field, haze in (
        (HORIZON - 34, 10, 0x4A6B78, 0x5F8088, 0.62),
        (HORIZON - 16, 6, 0x3F6248, 0x86A05C, 0.40),
        (HORIZON - 3, 3, 0x3C6230, 0x8FAA50, 0.20),
    ):
        ridge = base - relief * fractal(rng, 1.6, height=1) - 0.8 * fractal(rng, 0.5, height=1)
        ridge = ridge[:, :SCENE_W]
        inside = np.clip(Y - ridge, 0, 1)[..., None]
        patches = sample(fractal(rng, 1.5, 300), X, (Y - ridge) * 4)
        grain = sample(fractal(rng, 0.7), X, Y * 1.6)[..., None]
        colour = mix(bgr(wood), bgr(field), smoothstep(-1.6, 1.8, patches)[..., None])
        land = mix(land, mix(colour * (1 + 0.1 * grain), bgr(HAZE), haze), inside)
        cover = mix(cover, np.ones_like(X), inside[..., 0])
    return land, cover


@dataclass(frozen=True)
class Layer:
    """Plants that stand in one row: a sprite as wide as the scene, colours premultiplied by alpha."""

    sprite: Field
    root: int
    height: int
    flex: float
    phase: float

    def paint(self, scene: Field, turn: float, wind: Field, sunlight: Field) -> None:
        """Bend in the wind, and lay over what lies behind."""
        top, bottom = self.root - self.sprite.shape[0], min(self.root, SCENE_H)
        x, y = X[: bottom - top], Y[: bottom - top]
        z = 100 / (self.root - HORIZON + 12)
        up = np.clip((self.sprite.shape[0] - y) / self.height, 0, 1)
        gust = sample(wind, X[:1] * z - TILE * turn, np.full_like(X[:1], 60 * z))
        flutter = np.sin(2 * pi * (9 * turn + X[:1] / (2.5 * self.height) + self.phase))
        rustle = sample(wind, x * 9 / self.height**0.5 - 3 * TILE * turn, y + 99 * self.phase)
        bend = self.flex * (0.5 + gust + 0.22 * flutter + 0.2 * rustle)
        moved = cv2.remap(
            self.sprite,
            x - bend * self.height * up**1.6,
            y - 0.4 * bend**2 * self.height * up,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        light = sunlight[min(self.root, SCENE_H - 1)] * (1 + 0.5 * bend * up)[..., None]
        part = scene[top:bottom]
        part *= 1 - moved[..., 3:]
        part += moved[..., :3] * light


def shrink(canvas: Image) -> Field:
    size = canvas.shape[1] // SHARP, canvas.shape[0] // SHARP
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def paint_colour(colour: Field) -> tuple[float, ...]:
    return (*(np.clip(colour, 0, 1) * 255).tolist(), 255.0)


# petals, heart, and radius by height of the grass
FLOWERS = (0xF3EFE2, 0xE5B93A, 0.028), (0xEBC22E, 0xC9921E, 0.022), (0xCF3A24, 0x4A1512, 0.042)



def make_grass(rng: Rng, root: int, soil: Field) -> Layer:
    depth = root - HORIZON
    height = int(0.40 * depth + 2)
    tall = int(height * 1.5)
    canvas = np.zeros((tall * SHARP, SCENE_W * SHARP, 4), np.uint8)
    z = 100 / (depth + 12)
    t = np.linspace(0, 1, 6)
    for _ in range(int(1500 / (1 + height / 14) + 250)):
        x = rng.uniform(-10, SCENE_W + 10)
        spot = float(sample(soil, np.float32([[x * z]]), np.float32([[60 * z]]))[0, 0])
        blade = height * rng.uniform(0.5, 1.0)
        lean = rng.normal(0, 0.28)
        green = mix(bgr(0x587F30), bgr(0xB0AF5C), float(np.clip(0.4 + 0.3 * spot, 0, 1)))
        green = green * rng.uniform(0.7, 1.15) + rng.normal(0, 0.02, 3)
        half = max(0.5, height * 0.022) * (1 - t**1.5)
        xs, ys = x + lean * blade * t**2, tall - blade * t
        outline = np.r_[np.c_[xs - half, ys], np.c_[xs + half, ys][::-1]] * SHARP
        cv2.fillPoly(canvas, [outline.astype(np.int32)], paint_colour(green))
    for _ in range(int(90 / (1 + height / 60))):
        x = rng.uniform(0, SCENE_W)
        spot = float(sample(soil, np.float32([[x * z + 300]]), np.float32([[60 * z]]))[0, 0])
        kind = int(rng.integers(len(FLOWERS)))
        if spot < 0.3 + 0.35 * kind:
            continue
        petals, heart, radius = FLOWERS[kind]
        high = height * rng.uniform(0.75, 1.25)
        stem = np.array([[x, tall], [x + rng.normal(0, 0.1) * high, tall - high]]) * SHARP
        stem = stem.astype(np.int32)
        cv2.polylines(canvas, [stem], False, paint_colour(bgr(0x6F8A3A)), max(1, height // 14))
        size = max(0.7, height * radius) * SHARP * rng.uniform(0.7, 1.1)
        flat, tilt = rng.uniform(0.5, 0.8), rng.normal(0, 25)
        for colour, share in ((bgr(petals) * rng.uniform(0.85, 1.05), 1.0), (bgr(heart), 0.35)):
            axes = max(1, round(size * share)), max(1, round(size * share * flat))
            cv2.ellipse(canvas, stem[1].tolist(), axes, tilt, 0, 360, paint_colour(colour), -1)
    up = np.clip((tall - np.arange(tall)) / height, 0, 1)[:, None, None]
    sprite = shrink(canvas)
    sprite[..., :3] *= 0.42 + 0.75 * up**0.8
    sprite[..., :3] = mix(sprite[..., :3], bgr(HAZE) * sprite[..., 3:], 0.25 * 20 / (depth + 20))
    return Layer(sprite, root, height, 0.11, rng.uniform())


def make_tree(rng: Rng, x: float, root: int, height: int) -> Layer:
    tall = int(height * 1.1)
    canvas = np.zeros((tall * SHARP, SCENE_W * SHARP, 4), np.uint8)
    trunk = np.array([[-0.04, 0], [-0.022, 0.2], [-0.01, 0.6], [0.01, 0.6], [0.024, 0.2], [0.045, 0]])
    trunk = (np.array([x, tall]) + trunk * [height, -height]) * SHARP
    cv2.fillPoly(canvas, [trunk.astype(np.int32)], paint_colour(bgr(0x3A3024)))
    lobes = rng.normal(0, 1, (40, 3))
    lobes *= rng.uniform(0.5, 1, (40, 1)) / np.linalg.norm(lobes, axis=1)[:, None]
    lobes = lobes * [0.44, 0.29, 0.36] + [0.03, 0.6, 0]
    dabs = []
    for lobe in lobes:
        out = rng.normal(0, 1, (40 + 3 * height, 3))
        out /= np.linalg.norm(out, axis=1)[:, None]
        at = lobe + out * rng.gamma(9, 1 / 9, (len(out), 1)) * rng.uniform(0.04, 0.11)
        light = out @ [-0.55, 0.65, 0.5] + 0.8 * (at - lobes.mean(0)) @ [-1.6, 2, 1.6]
        dabs += zip(at[:, 2], at[:, 0], at[:, 1], light, strict=True)
    for _, right, high, light in sorted(dabs):
        share = float(np.clip(0.35 + 0.33 * light + rng.normal(0, 0.13), 0, 1))
        green = mix(bgr(0x22351B), bgr(0x9DAE4C), share)
        spot = int((x + right * height) * SHARP), int((tall - high * height) * SHARP)
        size = height**0.75 * SHARP * 0.025 * rng.uniform(0.7, 1.5)
        axes = max(1, round(size * 1.4)), max(1, round(size))
        cv2.ellipse(canvas, spot, axes, rng.uniform(0, 180), 0, 360, paint_colour(green), -1)
    return Layer(shrink(canvas), root, height, 0.018, rng.uniform())


def make_sunlight(rng: Rng) -> Callable[[float], Field]:
    """The shadows of the clouds, which pass over the land, and the shadow of the tree."""
    fields = fractal(rng, 1.9, 400), fractal(rng, 1.9, 400)
    z = 60 / (np.clip(Y - HORIZON, 0, None) + 18)
    u, v = (X - 300) * z, 200 * z + 4 * np.clip(HORIZON - Y, 0, None)
    far = smoothstep(-40, 20, Y - HORIZON)
    tree = np.exp(-(((X - TREE_X - 50) / 60) ** 2) - ((Y - TREE_Y - 5) / 9) ** 2)

    def at(turn: float) -> Field:
        shadow = smoothstep(-0.2, 1.6, drift(fields, u, v, 200, turn)) * mix(np.float32(0.35), np.float32(1), far)
        shadow = 1 - (1 - shadow) * (1 - 0.75 * tree)
        return mix(bgr(0x1D1B19) * 10.2, bgr(0x16181B) * 6, shadow[..., None])

    return at


def draw_bird(scene: Field, x: float, y: float, span: float, flap: float) -> None:
    mask = np.zeros(scene.shape[:2], np.uint8)
    tip = 0.5 * sin(flap) * span
    wings = np.array([[x - span, y - tip], [x - span / 2, y - 0.7 * tip - 1], [x, y], [x + span / 2, y - 0.7 * tip - 1], [x + span, y - tip]])
    cv2.polylines(mask, [(wings * 16).astype(np.int32)], False, 255, 1, cv2.LINE_AA, 4)
    scene *= 1 - 0.75 * (mask / np.float32(255))[..., None]


def film(scene: Field, turn: float, rng: Rng) -> Image:
    """What a small camera in a hand makes of the scene: sway, a lens dark at its edges, noise."""
    a = 2 * pi * turn
    dx, dy = 3.5 * sin(a) + 1.5 * sin(3 * a + 1) + 0.4 * sin(11 * a), 2.5 * sin(2 * a + 2) + 0.5 * sin(9 * a)
    move = cv2.getRotationMatrix2D((SCENE_W / 2, SCENE_H / 2), 0.25 * sin(a + 1), 1)
    move[:, 2] += dx - MARGIN, dy - MARGIN
    seen = cv2.warpAffine(scene, move, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    x, y = X[:HEIGHT, :WIDTH] / WIDTH - 0.5, Y[:HEIGHT, :WIDTH] / WIDTH - 0.28
    seen = seen * (1 - 0.45 * (x * x + y * y))[..., None]
    seen += rng.normal(0, 0.008, (HEIGHT, WIDTH, 1))
    return (np.clip(seen, 0, 1) * 255).astype(np.uint8)


def meadow_frames() -> Iterator[tuple[int, Image]]:
    rng = np.random.default_rng(10)
    sky, sunlight = make_sky(rng), make_sunlight(rng)
    land, cover = make_hills(rng)
    soil, wind = fractal(rng, 1.2, 300), fractal(rng, 1.6, 400)
    roots = [HORIZON + int(d) for d in np.geomspace(8, 260, 44)]
    layers = [make_grass(rng, root, soil) for root in roots]
    layers.append(make_tree(rng, TREE_X, TREE_Y, TREE_HEIGHT))
    for x in (30, 52, 66, 150, 163, 240, 330, 352, 560, 585, 600, 622):
        layers.append(make_tree(rng, x, HORIZON + int(rng.integers(2, 9)), int(rng.integers(14, 26))))
    layers.sort(key=lambda layer: layer.root)
    for number in range(FRAMES):
        turn = number / FRAMES
        light = sunlight(turn)
        scene = sky(turn) * (1 - cover[..., None]) + land * light
        for i in range(3):
            draw_bird(scene, (turn + 0.27) % 1 * 900 - 100 - 22 * i, 70 + 9 * i - 30 * turn + 5 * sin(2 * pi * turn), 7 - i, 2 * pi * (23 + 2 * i) * turn)
        for layer in layers:
            layer.paint(scene, turn, wind, light)
        yield number * FRAME_MS, film(scene, turn, rng)


def make_meadow(target: Path) -> None:
    encode(target, meadow_frames(), WIDTH, HEIGHT, crf=28)


# ---- Main ----------------------------------------------------------------------------------------

CLIPS: dict[str, Callable[[Path], None]] = {"meadow.mp4": make_meadow}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in CLIPS.items():
        make(folder / name)
        print(name, (folder/name).stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "clips")
