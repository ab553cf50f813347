"""Exercises of lab 6, second part: from 28×28 pixels to 32×32."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deepernets.analysis import baselines
from deepernets.course.exercises.judging import JudgedExercise as Exercise
from deepernets.course.exercises.numbers import draws


def as_tensor(value: Any) -> Tensor | None:
    """Return an answer as a tensor of doubles, or None if it is no table of numbers."""
    try:
        return torch.as_tensor(value).detach().double()
    except (TypeError, ValueError, RuntimeError):
        return None


def _matching(value: Tensor, usual: dict[str, Tensor]) -> str:
    """Return the mistake whose result `value` is, or "other"."""
    alike = (
        mistake
        for mistake, wrong in usual.items()
        if wrong.shape == value.shape and torch.allclose(value, wrong.double(), rtol=1e-3, atol=1e-4)
    )
    return next(alike, "other")


def _pixels(seed: int) -> tuple[Tensor, float, float]:
    """Return three images (3, 1, 28, 28), bright at the edges too, with a mean and a deviation."""
    generator = draws(seed, 62)
    pixels = torch.randint(20, 256, (3, 1, 28, 28), generator=generator, dtype=torch.uint8)
    mean, std = (0.1 + 0.2 * torch.rand(2, generator=generator, dtype=torch.double)).tolist()
    return pixels, mean, std


SHAPES: dict[tuple[int, ...], str] = {
    (3, 1, 28, 28): "not padded",
    (3, 1, 36, 36): "four",
    (3, 1, 28, 32): "one dimension",
    (3, 1, 32, 28): "one dimension",
    (3, 5, 32, 32): "all dimensions",
    (7, 5, 32, 32): "all dimensions",
}


def judge_pad_to_32(answer: Any, seed: int) -> str | None:
    """Two black pixels on each side, then the normalisation, which the frame takes part in."""
    if not callable(answer):
        return "no function"
    pixels, mean, std = _pixels(seed)
    given = as_tensor(answer(pixels.clone(), mean, std))
    if given is None:
        return "no images"
    right = baselines.pad_and_normalise(pixels, mean, std).double()
    if given.shape != right.shape:
        return SHAPES.get(tuple(given.shape), "shape")
    if torch.allclose(given, right, rtol=1e-3, atol=1e-4):
        return None
    return _matching(given, _wrong_frames(pixels, mean, std))


def _wrong_frames(pixels: Tensor, mean: float, std: float) -> dict[str, Tensor]:
    shares = pixels.double() / 255
    normal = (shares - mean) / std
    both = (2, 2, 2, 2)
    framed = F.pad(shares, both)
    return {
        "grey frame": F.pad(normal, both),
        "frame of -1": F.pad(normal, both, value=-1.0),
        "corner": (F.pad(shares, (0, 4, 0, 4)) - mean) / std,
        "white frame": (F.pad(shares, both, value=1.0) - mean) / std,
        "repeated edge": F.pad(normal, both, mode="replicate"),
        "mirrored edge": F.pad(normal, both, mode="reflect"),
        "resized": F.interpolate(normal, size=(32, 32), mode="bilinear"),
        "resized without blur": F.interpolate(normal, size=(32, 32)),
        "not normalised": framed,
        "neither": F.pad(pixels, both).double(),
        "0 to 255": (F.pad(pixels, both).double() - mean) / std,
        "no deviation": framed - mean,
        "turned": ((framed - mean) / std).mT,
    }


PAD_TO_32 = Exercise(
    "pad_to_32",
    judge_pad_to_32,
    {
        "no function": "A function is wanted: pad_to_32(pixels, mean, std).",
        "no images": "Return the images, as one tensor (N, 1, 32, 32).",
        "not padded": "The images are still 28×28: where is the frame?",
        "four": "The result is 36×36: four pixels are missing in all, not on each side.",
        "one dimension": "Only one of height and width has grown; F.pad takes two numbers for each dimension, the "
        "last dimension first.",
        "all dimensions": "The batch or the channels were padded too; only height and width are to grow.",
        "shape": "The shape is to be (N, 1, 32, 32), in this order.",
        "corner": "The size is right, but the digit is no longer in the middle: spread the frame over both sides.",
        "grey frame": "The frame is 0 after normalisation, which is the mean grey, not black: what comes first?",
        "frame of -1": "The frame is -1; what does a black pixel of the image become under this mean and std?",
        "white frame": "The frame is white; MNIST's background is black.",
        "repeated edge": "The frame repeats the outermost pixels; a black one is wanted.",
        "mirrored edge": "The frame mirrors the image; a black one is wanted.",
        "resized": "The digit itself was stretched and blurred: resizing does that, and padding is wanted.",
        "resized without blur": "Some rows and columns stand there twice: that is resizing, and padding is wanted.",
        "not normalised": "The frame is right; now subtract the mean and divide by the deviation.",
        "neither": "The frame is right; scaling to [0, 1] and normalisation are missing.",
        "0 to 255": "Mean and deviation are those of pixels scaled to [0, 1]; yours go up to 255.",
        "no deviation": "The mean is subtracted; what about the deviation?",
        "turned": "Height and width are exchanged.",
        "other": "Is the frame two black pixels on each side, and are all pixels then normalised alike?",
    },
)
