"""Planes, cars and birds drawn by code: CIFAR-3's little stand-in, which needs neither files nor network.

Each picture has its own pose, proportions, colours, background and noise. Colours and backgrounds are drawn
from the same distribution for all classes, and figures are lighter or darker than what is behind them, so
that only the shape tells what it is: too hard for a linear model, easy for a small convolutional network.
"""

from collections.abc import Callable
from colorsys import hsv_to_rgb
from math import cos, pi, sin

import numpy as np
import torch
from PIL import Image, ImageDraw

from deepernets.data.images import Images

SIDE = 32  # pixels
FINER = 4  # drawn so many times larger, then averaged: smooth edges
CANVAS = SIDE * FINER
CONTRAST = 60  # grey levels at least between a figure and what is behind it

Points = np.ndarray  # (N, 2): x to the right, y down; figures fill -1 to 1
Part = tuple[str, Points]  # the part's colour (body, shade or detail) and its outline
Colour = tuple[int, int, int]

_CIRCLE = np.array([(cos(turn * pi / 12), sin(turn * pi / 12)) for turn in range(24)])


def draw(count: int, seed: int) -> Images:
    """Draw `count` pictures, 3×32×32, whose classes take turns.

    >>> images = draw(6, seed=0)
    >>> images.pixels.shape, images.labels.tolist()
    (torch.Size([6, 3, 32, 32]), [0, 1, 2, 0, 1, 2])
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(FIGURES)
    figures = list(FIGURES.values())
    pictures = np.stack([_picture(figures[label](rng), rng) for label in labels])  # (N, H, W, C)
    strength = rng.uniform(2, 14, (count, 1, 1, 1)).astype(np.float32)  # grey levels
    noisy = pictures + strength * rng.standard_normal(pictures.shape, dtype=np.float32)
    pixels = torch.from_numpy(noisy.clip(0, 255).astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
    return Images(pixels, torch.from_numpy(labels))


def _polygon(*points: tuple[float, float]) -> Points:
    return np.array(points)


def _oval(x: float, y: float, width: float, height: float, tilt: float = 0.0) -> Points:
    """Return an ellipse by its centre, its half axes and its tilt in radians."""
    return np.array((x, y)) + _turned(_CIRCLE * (width, height), tilt)


def _turned(points: Points, angle: float) -> Points:
    return points @ np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])


def _plane(rng: np.random.Generator) -> list[Part]:
    return _plane_from_above(rng) if rng.random() < 0.5 else _plane_from_the_side(rng)


def _plane_from_above(rng: np.random.Generator) -> list[Part]:
    """Fuselage, two swept wings and two tailplanes, seen from above, flying in any direction."""
    thick, root, sweep, span = rng.uniform((0.09, 0.05, 0.1, 0.75), (0.15, 0.3, 0.5, 0.98))
    wing = _polygon((root, 0), (root - sweep, span), (root - sweep - 0.2, span), (root - 0.42, 0))
    tail = _polygon((-0.65, 0), (-0.85, 0.38), (-1, 0.38), (-0.92, 0))
    parts = [
        ("shade", wing),
        ("shade", wing * (1, -1)),
        ("shade", tail),
        ("shade", tail * (1, -1)),
        ("body", _oval(0, 0, 0.98, thick)),
        ("detail", _oval(0.72, 0, 0.09, thick * 0.5)),
    ]
    return _posed(parts, rng.uniform(-pi, pi))


def _plane_from_the_side(rng: np.random.Generator) -> list[Part]:
    """Fuselage with fin, one wing towards us and a row of windows, climbing or sinking."""
    thick, fin, sweep = rng.uniform((0.15, 0.4, 0.35), (0.21, 0.6, 0.6))
    parts = [
        ("shade", _polygon((-0.55, -0.05), (-0.82, -fin), (-1, -fin), (-0.92, 0))),
        ("shade", _polygon((0.3, -0.1), (0.2 - sweep, -0.45), (0.05 - sweep, -0.45), (0, -0.1))),
        ("body", _oval(0, 0, 0.98, thick)),
        ("shade", _polygon((0.32, 0.04), (0.1 - sweep, 0.6), (-0.12 - sweep, 0.6), (-0.1, 0.04))),
        ("detail", _polygon((0.75, -0.1), (0.9, -0.04), (0.7, -0.01))),
    ]
    parts += [("detail", _oval(x, -0.06, 0.05, 0.04)) for x in np.arange(-0.5, 0.6, 0.2)]
    return _posed(parts, rng.uniform(-0.45, 0.45))


def _car(rng: np.random.Generator) -> list[Part]:
    """A car from the side: body, cabin with two windows, two wheels; a saloon, a hatchback or a van."""
    roof, back, front, wheel, bonnet = rng.uniform(
        (-0.7, -0.98, 0.05, 0.19, -0.2), (-0.45, -0.4, 0.4, 0.26, -0.05)
    )
    screen = front + 0.3  # where the windscreen meets the bonnet
    middle = (back + front) / 2
    sill = bonnet - 0.02
    parts = [
        ("body", _polygon((back - 0.1, sill + 0.1), (back, roof), (front, roof), (screen, sill + 0.1))),
        ("body", _polygon((-1, 0.28), (-1, sill), (screen, bonnet), (0.93, bonnet + 0.12), (1, 0.28))),
        ("detail", _polygon((back + 0.04, sill), (back + 0.08, roof + 0.1), (middle - 0.03, roof + 0.1),
                            (middle - 0.03, sill))),
        ("detail", _polygon((middle + 0.04, sill), (middle + 0.04, roof + 0.1), (front - 0.02, roof + 0.1),
                            (screen - 0.1, sill))),
        ("shade", _polygon((-1, 0.12), (1, 0.12), (1, 0.28), (-1, 0.28))),
    ]  # fmt: skip
    for x in (-0.58, 0.58):
        parts += [
            ("detail", _oval(x, 0.28, wheel, wheel)),
            ("body", _oval(x, 0.28, wheel * 0.4, wheel * 0.4)),
        ]
    return _posed(parts, rng.uniform(-0.12, 0.12))


def _bird(rng: np.random.Generator) -> list[Part]:
    return _bird_perched(rng) if rng.random() < 0.5 else _bird_in_flight(rng)


def _bird_perched(rng: np.random.Generator) -> list[Part]:
    """A round body, a head with eye and beak, a tail, a folded wing and two legs."""
    plump, tilt, head, beak = rng.uniform((0.3, -0.6, 0.2, 0.2), (0.42, -0.2, 0.28, 0.34))
    x, y = 0.5, -0.5
    parts = [
        ("detail", _polygon((-0.08, 0.2), (-0.02, 0.2), (0.03, 0.85), (-0.03, 0.85))),
        ("detail", _polygon((0.12, 0.2), (0.18, 0.2), (0.23, 0.85), (0.17, 0.85))),
        ("shade", _turned(_polygon((-0.4, -0.12), (-1.1, -0.02), (-1.1, 0.16), (-0.4, 0.15)), tilt * 0.8)),
        ("detail", _polygon((x + 0.1, y - 0.1), (x + head * 0.8 + beak, y + 0.05), (x + 0.1, y + 0.13))),
        ("body", _oval(0, 0, 0.62, plump, tilt)),
        ("body", _oval(x - 0.03, y + 0.04, head, head)),
        ("shade", _oval(-0.12, 0.02, 0.42, plump * 0.5, tilt)),
        ("detail", _oval(x + 0.06, y, 0.055, 0.055)),
    ]
    return _posed(parts, rng.uniform(-0.25, 0.25))


def _bird_in_flight(rng: np.random.Generator) -> list[Part]:
    """Two bent wings held up or beaten down, a slim body, a fanned tail, a head with a beak."""
    lift, reach, slim = rng.uniform((0.25, 0.75, 0.13), (0.75, 1.0, 0.2))
    beat = rng.choice((1, -1), p=(0.75, 0.25))  # most often the wings are up
    near = _polygon(
        (0.3, 0), (0.1, -lift), (-0.25, -reach), (-0.72, -reach - 0.02), (-0.42, -lift * 0.7), (-0.3, 0)
    )
    far = _polygon(
        (0.32, 0), (0.42, -lift), (0.3, -reach * 0.95), (0.72, -reach * 0.9), (0.72, -lift * 0.8), (0.45, 0)
    )
    parts = [
        ("shade", far * (1, beat)),
        ("shade", _polygon((-0.4, 0), (-0.95, -0.2), (-1, 0.02), (-0.92, 0.2))),
        ("detail", _polygon((0.62, -0.2), (0.98, -0.06), (0.65, 0.04))),
        ("body", _oval(0.05, 0, 0.55, slim)),
        ("body", _oval(0.58, -0.1, 0.17, 0.17)),
        ("body", near * (1, beat)),
        ("detail", _oval(0.63, -0.13, 0.045, 0.045)),
    ]
    return _posed(parts, rng.uniform(-0.35, 0.35))


FIGURES: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    "airplane": _plane,
    "automobile": _car,
    "bird": _bird,
}
CLASSES = tuple(FIGURES)


def _posed(parts: list[Part], angle: float) -> list[Part]:
    return [(colour, _turned(points, angle)) for colour, points in parts]


def _picture(parts: list[Part], rng: np.random.Generator) -> np.ndarray:
    """Draw one figure somewhere on a background: uint8 (H, W, C)."""
    image, brightness = _background(rng)
    pen = ImageDraw.Draw(image)
    colours = _colours(brightness, rng)
    size = rng.uniform(0.68, 0.95, 2) * (rng.choice((-1, 1)), 1)  # half of them face left
    shift = rng.uniform(-0.16, 0.16, 2)
    for colour, points in parts:
        pen.polygon(((points * size + shift + 1) * (CANVAS / 2)).ravel().tolist(), fill=colours[colour])
    return np.asarray(image.reduce(FINER))


def _background(rng: np.random.Generator) -> tuple[Image.Image, float]:
    """Return a sky or wall of two colours that run into one another, with spots on it, and its brightness."""
    hue, saturation, value = rng.uniform((0, 0, 0.45), (1, 0.6, 1))
    ends = [_rgb(hue, saturation, value * rng.uniform(0.75, 1)) for _ in range(2)]
    image = Image.fromarray(np.array([ends], np.uint8).transpose(1, 0, 2))  # 1×2 pixels
    image = image.resize((CANVAS, CANVAS), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 5)):
        x, y, width, height = rng.uniform((-1, -1, 0.1, 0.1), (1, 1, 0.6, 0.3))
        spot = (_oval(x, y, width, height) + 1) * (CANVAS / 2)
        pen.polygon(spot.ravel().tolist(), fill=_rgb(hue, saturation, value * rng.uniform(0.7, 1)))
    return image, float(np.mean([_brightness(colour) for colour in ends]))


def _colours(behind: float, rng: np.random.Generator) -> dict[str, Colour]:
    """Return any body colour that stands out from the brightness behind it, with its shade and details."""
    while True:
        hue, saturation, value = rng.uniform((0, 0, 0.1), (1, 0.9, 1))
        body = _rgb(hue, saturation, value)
        if abs(_brightness(body) - behind) > CONTRAST:
            break
    shade = _rgb(hue, saturation, value * 0.75)
    detail = _rgb(hue, 0.2, 0.1 if _brightness(body) > 90 else 0.95)
    return {"body": body, "shade": shade, "detail": detail}


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * part) for part in hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def _brightness(colour: Colour) -> float:
    return float(np.dot(colour, (0.299, 0.587, 0.114)))
