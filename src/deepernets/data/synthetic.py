"""Data sets that need neither files nor network: handwritten `digits`, and drawn `sketches`.

`sketches` stands in for CIFAR-3: airplanes, automobiles and birds, drawn by code. Each image has its own pose,
proportions, colours, background and noise. Colours and backgrounds are drawn from the same distribution for all
classes, and figures are lighter or darker than their background, so that only the shape tells the classes
apart: too hard for a linear model, easy for a small convolutional network.
"""

from collections.abc import Callable
from colorsys import hsv_to_rgb
from functools import cache
from math import cos, pi, sin

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from deepernets.data.images import Dataset, Images, stratified_split
from deepernets.papers.datasets import DATASETS

DIGIT_SIDE, MARGIN = 20, 4  # pixels, as in MNIST: a digit fills 20×20, and 28×28 with its margin
TEST_FRACTION = 0.2  # of the digits
SIDE = 32  # pixels
OVERSAMPLING = 4  # sketches are drawn larger by this factor and averaged, for smooth edges
CANVAS = SIDE * OVERSAMPLING
CONTRAST = 60  # least difference in grey levels between a figure and its background

Points = np.ndarray  # (N, 2): x to the right, y down; figures fill -1 to 1
Part = tuple[str, Points]  # the part's colour (body, shade or detail) and its outline
Colour = tuple[int, int, int]

_CIRCLE = np.array([(cos(turn * pi / 12), sin(turn * pi / 12)) for turn in range(24)])


@cache
def digits() -> Dataset:
    """Return scikit-learn's 1,797 handwritten 8×8 digits, enlarged to MNIST's 28×28.

    They have MNIST's shape, so that what runs on MNIST runs on them unchanged. One in five is a test image.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = (bunch.images * (255 / 16)).astype(np.uint8)  # (N, 8, 8), from 0 to 16
    enlarged = np.zeros((len(grey), 1, 28, 28), np.uint8)
    for large, small in zip(enlarged[:, 0, MARGIN:-MARGIN, MARGIN:-MARGIN], grey, strict=True):
        large[:] = Image.fromarray(small).resize((DIGIT_SIDE, DIGIT_SIDE), Image.Resampling.BICUBIC)
    images = Images(torch.from_numpy(enlarged), torch.from_numpy(bunch.target.astype(np.int64)))
    train, test = stratified_split(images, TEST_FRACTION, seed=0)
    return Dataset("digits", "digits", DATASETS["digits"].classes, train, test)


@cache
def sketches() -> Dataset:
    """Return 1,500 training and 600 test images, drawn by `draw_sketches`."""
    info = DATASETS["sketches"]
    train, test = draw_sketches(info.train_images, seed=0), draw_sketches(info.test_images, seed=1)
    return Dataset("sketches", "sketches", info.classes, train, test)


def draw_sketches(count: int, seed: int) -> Images:
    """Draw `count` images of 3×32×32 pixels, whose classes take turns.

    >>> images = draw_sketches(6, seed=0)
    >>> images.pixels.shape, images.labels.tolist()
    (torch.Size([6, 3, 32, 32]), [0, 1, 2, 0, 1, 2])
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(FIGURES)
    figures = list(FIGURES.values())
    drawings = np.stack([_draw_image(figures[label](rng), rng) for label in labels])  # (N, H, W, C)
    strength = rng.uniform(2, 14, (count, 1, 1, 1)).astype(np.float32)  # grey levels
    noisy = drawings + strength * rng.standard_normal(drawings.shape, dtype=np.float32)
    pixels = torch.from_numpy(noisy.clip(0, 255).astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
    return Images(pixels, torch.from_numpy(labels))


def figure_masks(count: int, seed: int) -> Tensor:
    """Return which pixels of the images that `draw_sketches` draws belong to a figure.

    Each image is drawn a second time with the same random numbers and without its figure. The figure is where
    the two differ, pixels included that it covers in part. (A detail with exactly the colour of the background
    is missed.)

    Args:
        count: Number of images.
        seed: The seed with which they were drawn.

    Returns:
        (N, H, W), bool.

    >>> figure_masks(3, seed=0).shape
    torch.Size([3, 32, 32])
    """
    rng = np.random.default_rng(seed)
    figures = list(FIGURES.values())
    masks = []
    for number in range(count):
        parts = figures[number % len(figures)](rng)
        state = rng.bit_generator.state
        background = _draw_image([], rng)  # draws as many random numbers as it does with a figure
        rng.bit_generator.state = state
        masks.append((_draw_image(parts, rng) != background).any(axis=2))
    return torch.from_numpy(np.stack(masks))


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
    thick, root, sweep, span = _uniform(rng, (0.09, 0.05, 0.1, 0.75), (0.15, 0.3, 0.5, 0.98))
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
    thick, fin, sweep = _uniform(rng, (0.15, 0.4, 0.35), (0.21, 0.6, 0.6))
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
    roof, back, front, wheel, bonnet = _uniform(
        rng, (-0.7, -0.98, 0.05, 0.19, -0.2), (-0.45, -0.4, 0.4, 0.26, -0.05)
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
    plump, tilt, head, beak = _uniform(rng, (0.3, -0.6, 0.2, 0.2), (0.42, -0.2, 0.28, 0.34))
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
    """Two bent wings held up or beaten down, a slim body, a fanned tail and a head with a beak."""
    lift, reach, slim = _uniform(rng, (0.25, 0.75, 0.13), (0.75, 1.0, 0.2))
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


def _posed(parts: list[Part], angle: float) -> list[Part]:
    return [(colour, _turned(points, angle)) for colour, points in parts]


def _draw_image(parts: list[Part], rng: np.random.Generator) -> np.ndarray:
    """Draw one figure at a random place on a background: uint8 (H, W, C)."""
    image, brightness = _background(rng)
    pen = ImageDraw.Draw(image)
    colours = _colours(brightness, rng)
    size = rng.uniform(0.68, 0.95, 2) * (rng.choice((-1, 1)), 1)  # half of them face left
    shift = rng.uniform(-0.16, 0.16, 2)
    for colour, points in parts:
        pen.polygon(((points * size + shift + 1) * (CANVAS / 2)).ravel().tolist(), fill=colours[colour])
    return np.asarray(image.reduce(OVERSAMPLING))


def _background(rng: np.random.Generator) -> tuple[Image.Image, float]:
    """Return a colour gradient with spots on it, and its mean brightness."""
    hue, saturation, value = _uniform(rng, (0, 0, 0.45), (1, 0.6, 1))
    ends = [_rgb(hue, saturation, value * rng.uniform(0.75, 1)) for _ in range(2)]
    image = Image.fromarray(np.array([ends], np.uint8).transpose(1, 0, 2))  # 1×2 pixels
    image = image.resize((1, CANVAS), Image.Resampling.BILINEAR)  # all columns are equal
    image = image.resize((CANVAS, CANVAS), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 5)):
        x, y, width, height = _uniform(rng, (-1, -1, 0.1, 0.1), (1, 1, 0.6, 0.3))
        spot = (_oval(x, y, width, height) + 1) * (CANVAS / 2)
        pen.polygon(spot.ravel().tolist(), fill=_rgb(hue, saturation, value * rng.uniform(0.7, 1)))
    return image, sum(_brightness(colour) for colour in ends) / 2


def _colours(background: float, rng: np.random.Generator) -> dict[str, Colour]:
    """Return a body colour that differs from the background's brightness, with its shade and details."""
    while True:
        hue, saturation, value = _uniform(rng, (0, 0, 0.1), (1, 0.9, 1))
        body = _rgb(hue, saturation, value)
        if abs(_brightness(body) - background) > CONTRAST:
            break
    shade = _rgb(hue, saturation, value * 0.75)
    detail = _rgb(hue, 0.2, 0.1 if _brightness(body) > 90 else 0.95)
    return {"body": body, "shade": shade, "detail": detail}


def _uniform(rng: np.random.Generator, low: tuple[float, ...], high: tuple[float, ...]) -> list[float]:
    """Return what `Generator.uniform` returns, in a sixth of its time: it spends most on checking bounds."""
    draws = rng.random(len(low)).tolist()
    return [least + (most - least) * draw for least, most, draw in zip(low, high, draws, strict=True)]


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * part) for part in hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def _brightness(colour: Colour) -> float:
    return float(np.dot(colour, (0.299, 0.587, 0.114)))
