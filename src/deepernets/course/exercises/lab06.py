"""Exercises of lab 6: MNIST four ways."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations, groupby, islice, pairwise, permutations
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.analysis import baselines
from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom
from deepernets.course.exercises.values import (
    Unsuitable,
    array,
    attempt,
    difference,
    kind_of,
    named,
    network,
    normal,
    number,
    numbers,
    run_network,
    show,
)

Comparison = Callable[[float, float, int], tuple[float, float]]  # accuracies before and after, images


def _wrong(accuracy: float, images: int) -> int:
    return round((1 - accuracy) * images)


def _fewer(before: float, after: float, images: int) -> int:
    return _wrong(before, images) - _wrong(after, images)


def _gone(before: float, after: float, images: int) -> float:
    return _fewer(before, after, images) / _wrong(before, images)


def _compared(
    fewer: Callable[[float, float, int], float] = _fewer, gone: Callable[[float, float, int], float] = _gone
) -> Comparison:
    return lambda *case: (fewer(*case), gone(*case))


def _accuracies(draw: Random) -> list[tuple[float, float, int]]:
    """Return pairs of accuracies: the second one better, as good, worse; close to 1 and far from it."""
    wrong = draw.randint(200, 300), draw.randint(20, 150)
    some = draw.choice((500, 3_000))
    far = draw.randint(some // 4, some // 2), draw.randint(some // 10, some // 5)
    cases = [(60, 15, 10_000), (63, 35, 10_000), (35, 63, 10_000), (20, 20, 1_000)]
    return [
        (1 - before / images, 1 - after / images, images)
        for before, after, images in (*cases, (*wrong, 10_000), (*far, some))
    ]


COMPARE_ERRORS = FunctionExercise(
    "compare_errors(before, after, images)",
    returns=named("how many fewer images are wrong", "the share of the mistakes that is gone"),
    reference=_compared(),
    inputs=_accuracies,
    shown=lambda *case: ", ".join(show(round(value, 6)) for value in case),
    tolerance=1e-5,
    mistakes=[
        Mistake(
            "order",
            lambda *case: (_gone(*case), _fewer(*case)),
            "Both are right, but the number of images comes first.",
        ),
        Mistake(
            "percentage points",
            _compared(lambda before, after, images: 100 * (after - before)),
            "Your first number is in percentage points. How many of the test images is it?",
        ),
        Mistake(
            "share of the images",
            _compared(lambda before, after, images: after - before),
            "Your first number is a share of all test images. How many images is it?",
        ),
        Mistake(
            "cut off",
            [
                _compared(lambda before, after, images: int((after - before) * images)),
                _compared(
                    lambda before, after, images: int((1 - before) * images) - int((1 - after) * images)
                ),
            ],
            "You cut off decimals, and 27.99… becomes 27. Round, or leave them.",
        ),
        Mistake(
            "ten thousand",
            [
                _compared(lambda before, after, images: _fewer(before, after, 10_000)),
                _compared(lambda before, after, images: (after - before) * 10_000),
            ],
            "Your first number is for 10,000 images, whatever `images` is.",
        ),
        Mistake(
            "of one network",
            [
                _compared(lambda before, after, images: _wrong(before, images)),
                _compared(lambda before, after, images: _wrong(after, images)),
            ],
            "Your first number is how many images one of the two gets wrong. By how many do they differ?",
        ),
        Mistake(
            "sign",
            [
                _compared(lambda *case: -_fewer(*case), lambda *case: -_gone(*case)),
                _compared(lambda *case: -_fewer(*case)),
                _compared(gone=lambda *case: -_gone(*case)),
            ],
            "The sign is the other way round: fewer mistakes than before count as positive, in both numbers.",
        ),
        Mistake(
            "always positive",
            [
                _compared(lambda *case: abs(_fewer(*case)), lambda *case: abs(_gone(*case))),
                _compared(lambda *case: abs(_fewer(*case))),
                _compared(gone=lambda *case: abs(_gone(*case))),
            ],
            "Right where the second network is better. Where it is worse, both numbers are negative.",
        ),
        Mistake(
            "never negative",
            [
                _compared(lambda *case: max(0, _fewer(*case)), lambda *case: max(0, _gone(*case))),
                _compared(gone=lambda *case: max(0, _gone(*case))),
            ],
            "Where the second network is worse, return negative numbers instead of 0.",
        ),
        Mistake(
            "percent",
            _compared(gone=lambda *case: 100 * _gone(*case)),
            "Your second number is in per cent. Return a share, with 1 for all mistakes gone.",
        ),
        Mistake(
            "absolute",
            _compared(gone=lambda before, after, images: after - before),
            "Your second number is the difference of the accuracies. How large is it compared with the mistakes "
            "before?",
        ),
        Mistake(
            "of the accuracy",
            _compared(gone=lambda before, after, images: (after - before) / before),
            "You divide by the right answers. What can be reduced are the mistakes before.",
        ),
        Mistake(
            "of the new errors",
            _compared(gone=lambda before, after, images: (after - before) / (1 - after)),
            "You divide by the mistakes after. Compare with those before.",
        ),
        Mistake(
            "what is left",
            _compared(gone=lambda before, after, images: (1 - after) / (1 - before)),
            "That share of the mistakes is left. Which share is gone?",
        ),
        Mistake(
            "percent in",
            _compared(gone=lambda before, after, images: (after - before) / (100 - before)),
            "The accuracies are shares between 0 and 1, not per cent. What is the error rate then?",
        ),
    ],
)


def _images(draw: Random) -> list[tuple[Tensor, float, float]]:
    """Return an image without black, and three with it, all bright at the edges, each with a mean and an std."""
    drawn = [
        torch.tensor([*draw.randbytes(784 * n)], dtype=torch.uint8).reshape(n, 1, 28, 28) for n in (1, 3)
    ]
    drawn[0].clamp_(min=20)
    return [(pixels, draw.uniform(0.1, 0.4), draw.uniform(0.1, 0.4)) for pixels in drawn]


Normalise = Callable[[Tensor, float, float], Tensor]


def _normal(pixels: Tensor, mean: float, std: float) -> Tensor:
    return (pixels - mean) / std


def _framed(
    normalise: Normalise = _normal, frame: Sequence[int] = (2, 2, 2, 2), white: float = 0.0
) -> Normalise:
    """Return what pads first, then normalises."""
    return lambda pixels, mean, std: normalise(F.pad(pixels / 255, frame, value=white), mean, std)


def _framed_late(**how: Any) -> Normalise:
    """Return what normalises first, then pads."""
    return lambda pixels, mean, std: F.pad(_normal(pixels / 255, mean, std), (2, 2, 2, 2), **how)


def _stretched(**how: Any) -> Normalise:
    return lambda pixels, mean, std: _normal(F.interpolate(pixels / 255, size=(32, 32), **how), mean, std)


def _of_shape(*shapes: tuple[int, ...]) -> Callable[[list[Tensor], list[Tensor]], bool]:
    """Return whether the image alone has one of these shapes."""
    return lambda given, right: tuple(given[0].shape) in shapes


PAD_TO_32 = FunctionExercise(
    "pad_to_32(pixels, mean, std)",
    returns=array("the images, (N, 1, 32, 32)"),
    reference=baselines.pad_and_normalise,
    inputs=_images,
    shown=lambda pixels, mean, std: (
        f"{len(pixels)} images with pixels from {int(pixels.min())} to {int(pixels.max())}, {mean:.4g}, {std:.4g}"
    ),
    mistakes=[
        Symptom("not padded", _of_shape((1, 1, 28, 28)), "The images are still 28×28: where is the frame?"),
        Symptom(
            "four", _of_shape((1, 1, 36, 36)), "You add four pixels on each side. Four are missing in all."
        ),
        Symptom(
            "one dimension",
            _of_shape((1, 1, 28, 32), (1, 1, 32, 28), (1, 1, 28, 30), (1, 1, 30, 28)),
            "Only one of height and width has grown. F.pad takes two numbers for each, the last dimension first.",
        ),
        Symptom(
            "all dimensions",
            _of_shape((1, 5, 32, 32), (5, 5, 32, 32), (5, 1, 32, 32)),
            "The images or the channels were padded too. Only height and width grow.",
        ),
        Symptom(
            "no channels",
            _of_shape((1, 32, 32), (32, 32), (1, 32, 32, 1)),
            "A dimension is missing or moved: the shape is (N, 1, 32, 32), in this order.",
        ),
        Mistake(
            "grey frame",
            _framed_late(),
            "The frame is 0 after normalisation, which is the mean grey, not black. What comes first?",
        ),
        Mistake(
            "frame of -1",
            _framed_late(value=-1.0),
            "The frame is -1. What does a black pixel of the image become under this mean and std?",
        ),
        Mistake(
            "frame of -mean",
            lambda pixels, mean, std: _framed_late(value=-mean)(pixels, mean, std),
            "The frame is -mean. A black pixel of the image is divided by the standard deviation, too.",
        ),
        Mistake(
            "corner",
            [_framed(frame=(a, 4 - a, a, 4 - a)) for a in (0, 1, 3, 4)],
            "The digit is no longer in the middle: spread the frame over both sides.",
        ),
        Mistake(
            "darkest pixel",
            [
                lambda pixels, mean, std: _framed_late(value=_normal(pixels.min() / 255, mean, std).item())(
                    pixels, mean, std
                ),
                lambda pixels, mean, std: _normal(
                    F.pad(pixels / 255, (2, 2, 2, 2), value=pixels.min().item() / 255), mean, std
                ),
            ],
            "The frame is as dark as the darkest pixel of the images. They need not have a black one.",
        ),
        Mistake(
            "own statistics",
            [
                lambda pixels, *_: _framed(lambda x, *_: _normal(x, x.mean(), x.std()))(pixels, 0, 1),
                lambda pixels, *_: _framed()(pixels, (pixels / 255).mean(), (pixels / 255).std()),
            ],
            "You normalise by the statistics of these images. Use the arguments `mean` and `std`.",
        ),
        Mistake(
            "exchanged",
            lambda pixels, mean, std: _framed()(pixels, std, mean),
            "Mean and standard deviation are exchanged.",
        ),
        Mistake(
            "multiplied",
            _framed(lambda pixels, mean, std: (pixels - mean) * std),
            "You multiply by the standard deviation. Divide by it.",
        ),
        Mistake(
            "whole numbers",
            lambda pixels, mean, std: _framed()(255 * (pixels // 255), mean, std),
            "`//` cuts off: nearly all pixels become 0. Turn them into floats and divide by 255.",
        ),
        Mistake(
            "256",
            _framed(lambda pixels, mean, std: _normal(pixels * 255 / 256, mean, std)),
            "A white pixel is 255, and becomes 1: divide by 255.",
        ),
        Mistake("white frame", _framed(white=1.0), "The frame is white. MNIST's background is black."),
        Mistake(
            "copied edge",
            [_framed_late(mode="replicate"), _framed_late(mode="reflect")],
            "The frame copies pixels of the image. It should be black.",
        ),
        Mistake(
            "resized",
            [_stretched(), _stretched(mode="bilinear"), _stretched(mode="bilinear", antialias=True)],
            "The digit itself was stretched. Padding leaves its pixels as they are.",
        ),
        Mistake(
            "not normalised",
            _framed(lambda pixels, mean, std: pixels),
            "The frame is right. Now subtract the mean and divide by the standard deviation.",
        ),
        Mistake(
            "neither",
            lambda pixels, mean, std: F.pad(pixels, (2, 2, 2, 2)),
            "The frame is right. Scaling to [0, 1] and normalisation are missing.",
        ),
        Mistake(
            "0 to 255",
            _framed(lambda pixels, mean, std: _normal(255 * pixels, mean, std)),
            "Mean and std are those of pixels scaled to [0, 1]. Yours go up to 255.",
        ),
        Mistake(
            "no deviation",
            _framed(lambda pixels, mean, std: pixels - mean),
            "The mean is subtracted. What about the standard deviation?",
        ),
        Mistake(
            "brackets",
            _framed(lambda pixels, mean, std: pixels - mean / std),
            "`pixels - mean / std` divides only the mean. Put brackets around the difference.",
        ),
    ],
)

Baseline = Callable[[int, list[int], int], Any]
Count = Callable[[int, list[int], int], float]


def _pairs_of_widths(pixels: int, hidden: list[int], classes: int) -> list[tuple[int, int]]:
    widths = [pixels, *hidden, classes]
    return list(pairwise(widths))


def _count(per_layer: Callable[[int, int], int] = lambda inputs, outputs: (inputs + 1) * outputs) -> Count:
    return lambda *sizes: sum(per_layer(*widths) for widths in _pairs_of_widths(*sizes))


def _baseline(
    count: Count | None = None,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
    first: Callable[[], nn.Module] | None = None,
    last: Callable[[], nn.Module] | None = None,
    bias: bool = True,
    keep: Callable[[list[int]], list[int]] = lambda hidden: hidden,
) -> Baseline:
    """Return what builds a network of linear layers, with other layers at other places for mistakes."""

    def build(pixels: int, hidden: list[int], classes: int) -> tuple[nn.Module, float]:
        sizes = pixels, keep(hidden), classes
        layers: list[nn.Module] = [first()] if first else []
        for inputs, outputs in _pairs_of_widths(*sizes):
            layers += [nn.Linear(inputs, outputs, bias=bias), *([activation()] if activation else [])]
        layers = layers[:-1] if activation else layers
        return nn.Sequential(*layers, *([last()] if last else [])), (count or _count())(*sizes)

    return build


def _observe_baseline(
    function: Baseline, pixels: int, hidden: list[int], classes: int, seed: int
) -> dict[str, Any]:
    value = function(pixels, list(hidden), classes)
    parts = attempt(lambda: list(islice(value, 3)))
    if isinstance(value, nn.Module | dict) or not isinstance(parts, list) or len(parts) != 2:
        raise Unsuitable(f"Expected a network and the number of its parameters; got {kind_of(value)}.")
    model = network("the first of the two results")(parts[0])
    counted = number("how many parameters the network has")(parts[1])
    draw = Random(seed)
    return {
        "the number of parameters": counted,
        **run_network(model, normal(draw, 5, pixels), draw),
    }


BUILD_BASELINE = FunctionExercise(
    "build_baseline(pixels, hidden, classes)",
    returns=network("the baseline"),  # not used: `observe` reads the result
    reference=_baseline(),
    inputs=lambda draw: [
        (12, [], 3, draw.getrandbits(16)),
        (9, [5], 4, draw.getrandbits(16)),
        (draw.randint(10, 20), [draw.randint(5, 8), draw.randint(9, 12)], 3, draw.getrandbits(16)),
    ],
    observe=_observe_baseline,
    shown=lambda pixels, hidden, classes, seed: f"{pixels}, {hidden}, {classes}",
    mistakes=[
        Mistake(
            "no biases counted",
            _baseline(_count(lambda inputs, outputs: inputs * outputs)),
            "The network is right. You count its weights. What does each unit add, whatever the image?",
        ),
        Mistake(
            "one bias",
            _baseline(_count(lambda inputs, outputs: inputs * outputs + 1)),
            "The network is right. You count one bias for each layer. How many units does a layer have?",
        ),
        Mistake(
            "a bias per input",
            _baseline(_count(lambda inputs, outputs: inputs * outputs + inputs)),
            "The network is right. You count a bias for each input. Biases belong to the outputs.",
        ),
        Mistake(
            "sum of widths",
            _baseline(_count(lambda inputs, outputs: inputs + outputs)),
            "The network is right. You add the widths. Every output weighs every input.",
        ),
        Mistake(
            "last layer counted",
            [
                _baseline(lambda pixels, hidden, classes: (pixels + 1) * classes),
                _baseline(lambda pixels, hidden, classes: ([pixels, *hidden][-1] + 1) * classes),
            ],
            "The network is right, and so is its count without a hidden layer. Add up those of all layers.",
        ),
        Symptom(
            "count",
            lambda given, right: all(
                difference(dict(list(one.items())[1:]), dict(list(other.items())[1:])) is None
                for one, other in zip(given, right, strict=True)
            ),
            "The network is right, its number of parameters is not. Count weights and biases of each layer.",
        ),
        Mistake(
            "no activation",
            _baseline(activation=None),
            "Without a ReLU after the hidden layers, the network is a linear model, however many layers it has.",
        ),
        Mistake(
            "ReLU after the last",
            [
                _baseline(last=nn.ReLU),
                _baseline(activation=None, last=nn.ReLU),
            ],
            "There is a ReLU after the last layer. Logits may be negative.",
        ),
        Mistake(
            "softmax",
            [_baseline(last=lambda: nn.Softmax(dim=1)), _baseline(last=lambda: nn.LogSoftmax(dim=1))],
            "The network returns (log-)probabilities. It should return the logits: the loss applies the softmax.",
        ),
        Mistake(
            "ReLU first",
            [_baseline(first=nn.ReLU), _baseline(activation=None, first=nn.ReLU)],
            "There is a ReLU before the first layer, which removes all negative inputs.",
        ),
        Mistake(
            "other activation",
            [_baseline(activation=kind) for kind in (nn.Sigmoid, nn.Tanh, nn.GELU, nn.LeakyReLU)],
            "The hidden layers have another activation than ReLU.",
        ),
        Mistake(
            "no bias",
            [_baseline(bias=False), _baseline(_count(lambda inputs, outputs: inputs * outputs), bias=False)],
            "Your layers have no biases.",
        ),
        Mistake(
            "one hidden layer",
            [_baseline(keep=lambda hidden: hidden[:1]), _baseline(keep=lambda hidden: hidden[-1:])],
            "`hidden` may have several widths. Your network has one hidden layer at most.",
        ),
        Mistake(
            "linear only",
            _baseline(keep=lambda hidden: []),
            "Your network has no hidden layers, whatever `hidden` is.",
        ),
        Mistake(
            "reversed",
            _baseline(keep=lambda hidden: hidden[::-1]),
            "The hidden layers are in the wrong order: the first width of `hidden` is next to the pixels.",
        ),
    ],
)

Features = tuple[Tensor, Tensor]


def _features(draw: Random) -> list[Features]:
    """Return training and test features; some never vary in training, and one of these does in the tests."""
    cases = []
    for images, tested, width in ((80, 5, 4), (90, 2, 5), (100, 30, 7)):
        train, test = normal(draw, images, width), normal(draw, tested, width)
        scale = 0.1 + normal(draw, width).abs()
        train, test = scale * train + normal(draw, width), 0.2 + 1.5 * scale * test
        train[:, 1] = 0.0
        train[:, -1], test[:, -1] = 1.0, 1.0
        cases.append((train, test))
    return cases


def _two_tensors(value: Any) -> dict[str, Tensor]:
    parts = attempt(lambda: list(islice(value, 3))) if type(value) is not dict else None
    if isinstance(value, Tensor) or not isinstance(parts, list) or len(parts) != 2:
        raise Unsuitable(f"Expected two tensors: the training and the test images; got {kind_of(value)}.")
    return {
        name: array(name)(part)
        for name, part in zip(("the training images", "the test images"), parts, strict=True)
    }


def _divisor(source: Tensor, dim: int | None = 0) -> Tensor:
    std = source.std(dim=dim, keepdim=True)
    return torch.where(std > 0, std, 1.0)


def _by(
    of_train: Callable[[Tensor, Tensor], Tensor],
    of_test: Callable[[Tensor, Tensor], Tensor],
    dim: int | None = 0,
) -> Callable[[Tensor, Tensor], Features]:
    """Return what standardises each of both by the statistics of another tensor, made from both."""

    def standardise(train: Tensor, test: Tensor) -> Features:
        sources = of_train(train, test), of_test(train, test)
        one, other = (
            (part - source.mean(dim=dim, keepdim=True)) / _divisor(source, dim)
            for part, source in zip((train, test), sources, strict=True)
        )
        return one, other

    return standardise


def _each(rule: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Features]:
    """Return what applies a rule (part, train) to both parts."""
    return lambda train, test: (rule(train, train), rule(test, train))


def _training(train: Tensor, test: Tensor) -> Tensor:
    return train


def _joint(train: Tensor, test: Tensor) -> Tensor:
    return torch.cat([train, test])


def _standard(part: Tensor, train: Tensor) -> Tensor:
    return (part - train.mean(dim=0)) / _divisor(train)


def _values(outcome: dict[str, Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in outcome.values()])


STANDARDISE_PIXELS = FunctionExercise(
    "standardise_pixels(train, test)",
    returns=_two_tensors,
    reference=_each(_standard),
    inputs=_features,
    tolerance=0.01,  # the standard deviation with n or with n - 1: both are in use, and 80 images are enough
    mistakes=[
        Mistake(
            "swapped",
            lambda train, test: (_standard(test, train), _standard(train, train)),
            "Both are right, but the training images come first.",
        ),
        Symptom(
            "nan",
            lambda given, right: any(_values(outcome).isnan().any() for outcome in given),
            "Some pixels are the same in every training image, and 0 / 0 gives nan. What is the divisor there?",
        ),
        Symptom(
            "tiny divisor",
            lambda given, right: any(_values(outcome).abs().max() > 1000 for outcome in given),
            "A pixel that never varied in training explodes in the test images: you divide by (almost) 0.",
        ),
        Mistake(
            "test statistics",
            _by(_training, lambda train, test: test),
            "You standardise the test images by their own statistics. A single new image would not have any.",
        ),
        Mistake(
            "joint statistics",
            _by(_joint, _joint),
            "Mean and standard deviation come from both sets together. The test images must not count.",
        ),
        Mistake(
            "all pixels alike",
            _by(_training, _training, dim=None),
            "You take one mean over all pixels. Each pixel, that is each column, has its own.",
        ),
        Mistake(
            "per image",
            _by(_training, lambda train, test: test, dim=1),
            "You standardise each image by itself. The statistics of a pixel run over the images: dim=0.",
        ),
        Mistake(
            "variance",
            _each(lambda part, train: (part - train.mean(dim=0)) / _divisor(train) ** 2),
            "You divide by the variance. The standard deviation is its root.",
        ),
        Mistake(
            "mean only",
            _each(lambda part, train: part - train.mean(dim=0)),
            "The mean is gone. Divide by the standard deviation, too.",
        ),
        Mistake(
            "test not centred",
            lambda train, test: (_standard(train, train), test / _divisor(train)),
            "The training mean is not subtracted from the test images. Is it still that of the training images?",
        ),
        Mistake(
            "at least 1",
            _each(lambda part, train: (part - train.mean(dim=0)) / train.std(dim=0).clamp(min=1)),
            "You divide by 1 wherever the standard deviation is smaller. Only where it is 0 it becomes 1.",
        ),
        Mistake(
            "deviation only",
            _each(lambda part, train: part / _divisor(train)),
            "You divide by the standard deviation. Subtract the mean first.",
        ),
        Mistake(
            "test untouched",
            lambda train, test: (_standard(train, train), test),
            "The test images are as they were. They are standardised, too, by the training statistics.",
        ),
        Mistake(
            "zeroed",
            _each(lambda part, train: _standard(part, train) * (train.std(dim=0) > 0)),
            "You set a pixel that never varied in training to 0. Dividing by 1 keeps what test images have there.",
        ),
        Mistake(
            "one added",
            _each(lambda part, train: (part - train.mean(dim=0)) / (train.std(dim=0) + 1)),
            "You add 1 to every standard deviation. Only those that are 0 become 1.",
        ),
    ],
)

Row = tuple[int, ...]
Pairs = Callable[[Tensor, int], list[Row]]


def _tables(draw: Random) -> list[tuple[Tensor, int]]:
    """Return confusion matrices of 3, 4 and 10 classes and how many pairs to list."""
    return [(_table(draw, classes), most) for classes, most in ((3, 1), (4, 3), (10, 5))]


def _table(draw: Random, classes: int) -> Tensor:
    """Return a confusion matrix in which each direction alone gives another order of the pairs.

    The second and the third pair are level where there are more than three, and the second has one direction only.
    """
    pairs = list(combinations(range(classes), 2))
    totals = sorted(draw.sample(range(40, 40 + 5 * len(pairs)), len(pairs)))[::-1]
    if len(pairs) > 3:
        totals[2] = totals[1]
    draw.shuffle(pairs)
    counts = torch.diag(torch.tensor([draw.randint(200, 400) for _ in range(classes)]))
    for rank, ((a, b), total) in enumerate(zip(pairs, totals, strict=True)):
        fewer = draw.randint(0, 3) if rank % 2 else total // 2 - draw.randint(1, 4)
        fewer *= rank != 1
        forth = fewer if draw.random() < 0.5 else total - fewer
        counts[a, b], counts[b, a] = forth, total - forth
    return counts


def _rows(value: Any) -> list[list[float]]:
    rows = attempt(lambda: list(islice(value, 1000))) if not isinstance(value, str | dict) else None
    if not isinstance(rows, list):
        raise Unsuitable(
            f"Expected a list with one row (a, b, a_for_b, b_for_a) for each pair; got {kind_of(value)}."
        )
    read = [numbers("a, b, a_for_b, b_for_a", 4)(row) for row in rows]
    level = groupby(read, key=lambda row: row[2] + row[3])  # such pairs may come in any order
    return [row for _, pairs in level for row in sorted(pairs)]


def _pairs(
    score: Callable[[int, int], int] = lambda forth, back: forth + back,
    places: Callable[..., Any] = combinations,
    show: Callable[[Row], Row] = lambda row: row,
) -> Pairs:
    """Return pairs of classes by falling score of their counts."""

    def listed(counts: Tensor, most: int) -> list[Row]:
        rows = [(a, b, int(counts[a, b]), int(counts[b, a])) for a, b in places(range(len(counts)), 2)]
        return [show(row) for row in sorted(rows, key=lambda row: -score(*row[2:]))[:most]]

    return listed


CONFUSED_PAIRS = FunctionExercise(
    "confused_pairs(counts, most)",
    returns=_rows,
    reference=_pairs(),
    inputs=_tables,
    shown=lambda counts, most: f"{counts.tolist() if len(counts) < 5 else show(counts)}, {most}",
    keeps_inputs=True,
    mistakes=[
        Symptom(
            "diagonal",
            lambda given, right: any(a == b for rows in given for a, b, _, _ in rows),
            "A class is paired with itself. The diagonal holds the right answers.",
        ),
        Mistake(
            "columns",
            _pairs(show=lambda row: (*row[:2], *row[:1:-1])),
            "The pairs are right, their two counts are exchanged. The row is the true class.",
        ),
        Mistake(
            "larger first",
            [
                _pairs(show=lambda row: (*row[1::-1], *row[:1:-1])),
                _pairs(show=lambda row: (*row[1::-1], *row[2:])),
            ],
            "The pairs are right, but the smaller class comes first: a < b.",
        ),
        Mistake(
            "twice",
            _pairs(places=permutations),
            "The same pair is listed twice, once from each side. Visit only pairs with a < b.",
        ),
        Mistake(
            "one direction",
            [
                _pairs(lambda forth, back: forth, permutations),
                _pairs(lambda forth, back: forth),
                _pairs(lambda forth, back: back),
                _pairs(max),
            ],
            "You rank by one direction only. A pair counts as often as either class is taken for the other.",
        ),
        Mistake(
            "ascending",
            _pairs(lambda forth, back: -forth - back),
            "Those are the least frequent pairs. The exercise asks for the most frequent.",
        ),
        Mistake(
            "level pairs",
            lambda counts, most: list(
                {row[2] + row[3]: row for row in _pairs()(counts, counts.numel())}.values()
            )[:most],
            "Two pairs may have the same frequency. You keep only one, as a dictionary of frequencies does.",
        ),
        Symptom(
            "order",
            lambda given, right: all(
                sorted(rows) == sorted(these) for rows, these in zip(given, right, strict=True)
            ),
            "The right pairs in another order. The most frequent comes first, both directions added.",
        ),
        Symptom(
            "length",
            lambda given, right: any(
                len(rows) != len(these) for rows, these in zip(given, right, strict=True)
            ),
            "Return as many pairs as `most` says, no more and no fewer.",
        ),
    ],
)


def _means(draw: Random) -> list[tuple[float, float, int, int]]:
    """Return means over all epochs but the last and over all, in per cent to five decimals, epochs and images."""
    cases = [(80.0, 85.0, 2, 100)]
    for images in (500, 60_000, 60_000):
        counts = [draw.randint(images * 6 // 10, images) for _ in range(draw.randint(20, 50))]
        shares = [100 * sum(part) / (images * len(part)) for part in (counts[:-1], counts)]
        cases.append((round(shares[0], 5), round(shares[1], 5), len(counts), images))
    return cases


MeanCount = Callable[[float, float, int, int], float]


def _finished(rule: MeanCount) -> list[MeanCount]:
    """Return a rule, and the same with its result rounded or cut off."""
    return [rule, lambda *case: round(rule(*case)), lambda *case: int(rule(*case))]


def _exact(before: float, after: float, epochs: int, images: int) -> float:
    return (after * epochs - before * (epochs - 1)) / 100 * images


RIGHT_IN_LAST_EPOCH = FunctionExercise(
    "right_in_last_epoch(before, after, epochs, images)",
    returns=number("how many images were right in the last epoch"),
    reference=baselines.right_in_last_epoch,
    inputs=_means,
    shown=lambda *case: ", ".join(map(repr, case)),  # all decimals
    tolerance=1e-7,  # of a count
    mistakes=[
        Mistake(
            "not whole",
            [_exact, lambda *case: round(_exact(*case), 1), lambda *case: round(_exact(*case), 2)],
            "Right but for the rounding of the means. A count of images is a whole number.",
        ),
        Mistake(
            "cut off",
            [
                lambda *case: int(_exact(*case)),
                lambda b, a, epochs, n: int(a / 100 * epochs * n) - int(b / 100 * (epochs - 1) * n),
                lambda b, a, epochs, n: a / 100 * epochs * n // 1 - b / 100 * (epochs - 1) * n // 1,
                lambda *case: math.ceil(_exact(*case)),
            ],
            "Off by one image here or there: cutting off or rounding up is not rounding.",
        ),
        Mistake(
            "percent",
            [
                lambda *case: 100 * baselines.right_in_last_epoch(*case) / case[3],
                lambda b, a, epochs, n: a * epochs - b * (epochs - 1),
            ],
            "That is the last epoch's accuracy in per cent. Return the count of images.",
        ),
        Mistake(
            "share",
            [
                lambda *case: baselines.right_in_last_epoch(*case) / case[3],
                lambda *case: _exact(*case) / case[3],
            ],
            "That is the last epoch's accuracy as a share. Return the count of images.",
        ),
        Mistake(
            "sign", _finished(lambda *case: -_exact(*case)), "The sign is wrong: which count is the larger?"
        ),
        Mistake("hundredfold", _finished(lambda *case: 100 * _exact(*case)), "The means are in per cent."),
        Mistake(
            "difference of means",
            _finished(lambda b, a, epochs, n: (a - b) / 100 * n),
            "You subtract the means. They are over different numbers of answers: turn each into a count first.",
        ),
        Mistake(
            "mean",
            _finished(lambda b, a, epochs, n: a / 100 * n),
            "That is the mean over all epochs again. Which part of it belongs to the last one?",
        ),
        Mistake(
            "all epochs",
            _finished(lambda b, a, epochs, n: a / 100 * n * epochs),
            "Those are the right answers of all epochs. How many of them came before the last one?",
        ),
        Mistake(
            "as many epochs",
            _finished(lambda b, a, epochs, n: (a - b) / 100 * n * epochs),
            "You multiply both means by the same number of epochs. Over how many is the first?",
        ),
        Mistake(
            "an epoch too many",
            _finished(lambda b, a, epochs, n: (a * (epochs + 1) - b * epochs) / 100 * n),
            "You multiply each mean by one epoch too many: `after` is over `epochs` epochs.",
        ),
    ],
)

EXERCISES = (
    COMPARE_ERRORS,
    PAD_TO_32,
    BUILD_BASELINE,
    STANDARDISE_PIXELS,
    CONFUSED_PAIRS,
    RIGHT_IN_LAST_EPOCH,
)
