"""Exercises of lab 1: receptive fields and parameters."""

from collections.abc import Callable
from random import Random

import torch
from torch import nn

from deepernets.course.exercises.judging import FunctionExercise, Mistake, NumberExercise
from deepernets.course.exercises.values import number

THREE_DEEP = NumberExercise(
    "three_deep",
    expected="the side of the square, in pixels",
    reference=7,
    mistakes=[
        Mistake(
            "sum of kernels",
            9,
            "Neighbouring kernels overlap. How many new pixels does a layer add at each edge?",
        ),
        Mistake("area", 49, "That is the number of pixels in the square. The exercise asks for its side."),
        Mistake(
            "doubled", 6, "Two new pixels per layer is right, but before the first layer a unit is one pixel."
        ),
        Mistake("product", 27, "Receptive fields of layers with stride 1 add up. They do not multiply."),
        Mistake(
            "two layers", 5, "That is the field after two layers. A third layer adds one pixel at each edge."
        ),
        Mistake(
            "kernel", 3, "That is the field of one layer. Each further layer adds one pixel at each edge."
        ),
    ],
    otherwise="Draw it: one unit sees 3 units of the layer below. What does each of these see?",
)

EXTRA_SHARE = NumberExercise(
    "extra_share",
    expected="a share, such as 0.5 for half as many again",
    reference=49 / 27 - 1,
    mistakes=[
        Mistake("ratio", 49 / 27, "That is how many times as many. How many *more* is one less."),
        Mistake(
            "percent",
            [81, 81.48, 81.5],
            "That is a percentage. The exercise asks for a share, such as 0.5 for 50 %.",
        ),
        Mistake(
            "of the larger",
            22 / 49,
            "That is the saving relative to the 7×7 layer. Compare with the 3×3 layers.",
        ),
        Mistake("upside down", 27 / 49, "That is three layers divided by one. Divide the other way round."),
        Mistake(
            "difference",
            22,
            "That is the difference in units of C². Divide it by the weights of the 3×3 layers.",
        ),
        Mistake(
            "kernels",
            7 / 9,
            "You compare the sides of the kernels. The number of weights grows with their area.",
        ),
        Mistake("one layer", 49 / 9 - 1, "There are three 3×3 layers, not one."),
    ],
    otherwise="One 7×7 layer has 49C² weights, three 3×3 layers have 27C². How many more, divided by 27C²?",
)

Layers = list[tuple[int, int]]
Step = Callable[[int, int, int, int], tuple[int, int]]


def _field(layers: Layers, step: Step = lambda r, j, k, s: (r + (k - 1) * j, j * s), start: int = 1) -> int:
    """Follow field and jump through layers by a rule (field, jump, kernel, stride) -> (field, jump)."""
    field, jump = start, 1
    for kernel, stride in layers:
        field, jump = step(field, jump, kernel, stride)
    return field


def _by(step: Step) -> Callable[[Layers], int]:
    return lambda layers: _field(layers, step)


def _stacks_of_layers(draw: Random) -> list[tuple[Layers]]:
    drawn = [(draw.choice((2, 3, 5, 7)), draw.choice((1, 2, 3))) for _ in range(4)]
    return [([(3, 1)],), ([(3, 1)] * 3,), ([(7, 2), (3, 2), (1, 1), (3, 1)],), ([*drawn, (3, 2), (5, 2)],)]


FIELD_SIZE = FunctionExercise(
    "field_size(layers)",
    returns=number("the side of the field, in pixels"),
    reference=_field,
    inputs=_stacks_of_layers,
    mistakes=[
        Mistake(
            "k", _by(lambda r, j, k, s: (r + k * j, j * s)), "A kernel of side k adds k - 1 jumps, not k."
        ),
        Mistake(
            "starts at none",
            lambda layers: _field(layers, start=0),
            "Before the first layer a unit is a pixel, and sees one pixel: start at 1.",
        ),
        Mistake(
            "no jump",
            _by(lambda r, j, k, s: (r + (k - 1), j)),
            "Right for strides of 1. After a stride of 2, neighbouring units are 2 pixels apart.",
        ),
        Mistake(
            "own stride",
            _by(lambda r, j, k, s: (r + (k - 1) * j * s, j * s)),
            "A layer's own stride spreads its outputs: it counts for the layers after it.",
        ),
        Mistake(
            "last stride only",
            _by(lambda r, j, k, s: (r + (k - 1) * j, s)),
            "The jump is the product of all strides so far, not the last one alone.",
        ),
        Mistake(
            "jump added",
            _by(lambda r, j, k, s: (r + (k - 1) * j, j + s)),
            "Strides multiply: after two strides of 2, neighbours are 4 pixels apart.",
        ),
        Mistake(
            "jump added less one",
            _by(lambda r, j, k, s: (r + (k - 1) * j, j + s - 1)),
            "Strides multiply: after three strides of 2, neighbours are 8 pixels apart.",
        ),
        Mistake(
            "product",
            _by(lambda r, j, k, s: (r * k, j * s)),
            "Fields grow by addition: each layer adds (kernel - 1) jumps.",
        ),
        Mistake(
            "area",
            lambda layers: _field(layers) ** 2,
            "That is the number of pixels in the square. Return its side.",
        ),
        Mistake(
            "jump",
            _by(lambda r, j, k, s: (r * s, j)),
            "That is the distance between neighbouring units, the jump. Return the field.",
        ),
    ],
)


def _parameters(kernel: int, channels: int, layers: int) -> int:
    return layers * (kernel**2 * channels**2 + channels)


STACK_PARAMETERS = FunctionExercise(
    "stack_parameters(kernel, channels, layers)",
    returns=number("how many parameters all layers have together"),
    reference=_parameters,
    inputs=lambda draw: [
        (1, 2, 1),
        (3, 64, 3),
        (7, 64, 1),
        (draw.choice((1, 3, 5)), draw.randint(5, 99), draw.randint(2, 6)),
    ],
    mistakes=[
        Mistake(
            "no biases",
            lambda k, c, n: n * k**2 * c**2,
            "The weights are right. Each output channel also has a bias.",
        ),
        Mistake(
            "one bias each",
            lambda k, c, n: n * (k**2 * c**2 + 1),
            "A layer does not have one bias but one per output channel.",
        ),
        Mistake(
            "biases once",
            lambda k, c, n: n * k**2 * c**2 + c,
            "You count the biases once for the whole stack. Every layer has its own.",
        ),
        Mistake(
            "one layer", lambda k, c, n: k**2 * c**2 + c, "That is one layer. The stack has `layers` of them."
        ),
        Mistake(
            "channels once",
            lambda k, c, n: n * (k**2 * c + c),
            "Each output channel has a kernel for every input channel: multiply channels in by channels out.",
        ),
        Mistake(
            "kernel once",
            lambda k, c, n: n * (k * c**2 + c),
            "A kernel is as wide as it is high: square its side.",
        ),
        Mistake(
            "bias per kernel",
            lambda k, c, n: n * (k**2 + 1) * c**2,
            "There is one bias per output channel, not one per pair of channels.",
        ),
    ],
)

Gradient = Callable[[nn.Module, int], torch.Tensor]


def _positive_network(layers: Layers, seed: int, nested: bool) -> nn.Module:
    """Return convolutions with positive weights, so that no gradient cancels; `nested` puts some into a module."""
    parts: list[nn.Module] = [
        nn.Conv2d(2 if place else 3, 2, kernel, stride, padding=kernel // 2)
        for place, (kernel, stride) in enumerate(layers)
    ]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in nn.ModuleList(parts).parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator) + 0.1)
    return nn.Sequential(nn.Sequential(*parts[:2]), *parts[2:]) if nested else nn.Sequential(*parts)


def _side_of_gradient(network: nn.Module, size: int, unit: str = "middle") -> int:
    """Return the width of the square of pixels whose gradient is not zero, for one unit or for all of them."""
    image = torch.zeros(1, 3, size, size, requires_grad=True)
    maps = network(image)
    row, column = maps.shape[2] // 2, maps.shape[3] // 2
    chosen = {"middle": maps[0, :, row, column], "corner": maps[0, :, 0, 0], "all": maps}[unit]
    (gradient,) = torch.autograd.grad(chosen.sum(), image)
    return int((gradient.abs().sum(dim=(0, 1, 2)) > 0).sum())


FIELD_BY_GRADIENT = FunctionExercise(
    "field_by_gradient(network, size)",
    returns=number("how many pixels wide the field is"),
    reference=_side_of_gradient,
    inputs=lambda draw: [
        ([(3, 1)], 21, draw.getrandbits(16), False),
        ([(draw.choice((3, 5)), 1), (3, 2), (draw.choice((3, 5)), 1)], 41, draw.getrandbits(16), True),
    ],
    observe=lambda function, layers, size, seed, nested: number("how many pixels wide the field is")(
        function(_positive_network(layers, seed, nested), size)
    ),
    shown=lambda layers, size, *_: f"convolutions with (kernel, stride) {layers}, {size}",
    mistakes=[
        Mistake(
            "area",
            lambda network, size: _side_of_gradient(network, size) ** 2,
            "That is how many pixels the unit sees. How many are side by side?",
        ),
        Mistake(
            "area and channels",
            lambda network, size: 3 * _side_of_gradient(network, size) ** 2,
            "You count every pixel once per colour channel. How many pixels are side by side in one row?",
        ),
        Mistake(
            "all units",
            lambda network, size: _side_of_gradient(network, size, "all"),
            "The whole image matters to the whole feature map. Take the gradient of one unit only.",
        ),
        Mistake(
            "all units' area",
            lambda network, size: _side_of_gradient(network, size, "all") ** 2,
            "Those are all pixels of the image. Take one unit only, and the side of what it sees.",
        ),
        Mistake(
            "corner",
            lambda network, size: _side_of_gradient(network, size, "corner"),
            "A unit at the corner also sees the padding. Take the unit in the middle.",
        ),
        Mistake(
            "last index",
            lambda network, size: _side_of_gradient(network, size) - 1,
            "From the first pixel to the last one: count both ends.",
        ),
        Mistake(
            "half",
            lambda network, size: _side_of_gradient(network, size) // 2,
            "That is the reach to one side of the middle. The field reaches to both sides.",
        ),
    ],
)

EXERCISES = (THREE_DEEP, FIELD_SIZE, EXTRA_SHARE, STACK_PARAMETERS, FIELD_BY_GRADIENT)
