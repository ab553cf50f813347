"""The answers that students of lab 7 really give."""

import math
from typing import Any

import numpy as np
import torch


def rates(low: Any, high: Any, steps: Any) -> list[float]:
    factor = (high / low) ** (1 / (steps - 1))
    return [low * factor**step for step in range(steps)]


def smooth(losses: Any, keep: Any, start: float = 0.0, power: int = 0, correct: bool = True) -> list[float]:
    average, out = start, []
    for n, loss in enumerate(losses, start=1):
        average = keep * average + (1 - keep) * loss
        out.append(average / (1 - keep ** (n + power)) if correct else average)
    return out


def smooth_as_weighted_means(losses: Any, keep: Any) -> np.ndarray:
    """The same as a weighted mean with weights that fade."""
    out = []
    for n in range(1, len(losses) + 1):
        weights = keep ** np.arange(n)[::-1]
        out.append((weights * np.array(losses[:n])).sum() / weights.sum())
    return np.array(out)


def shape(progress: Any, peak: Any, fall: Any = lambda x: 0.5 + 0.5 * math.cos(math.pi * x)) -> float:
    if progress < peak:
        return progress / peak
    return fall((progress - peak) / (1 - peak))


def adam(
    weight: Any, gradient: Any, mean: Any, square: Any, step: Any, **change: Any
) -> tuple[Any, Any, Any]:
    first, second = change.get("betas", (0.9, 0.999))
    mean = first * mean + (1 - first) * gradient
    square = second * square + (1 - second) * (gradient.abs() if change.get("not_squared") else gradient**2)
    n = step + change.get("late", 0)
    m, v = (mean, square) if change.get("raw") else (mean / (1 - first**n), square / (1 - second**n))
    root = v if change.get("no_root") else v**0.5
    size = 1.0 if change.get("momentum") else root + (0.0 if change.get("no_epsilon") else 1e-8)
    if change.get("inside"):
        size = (v + 1e-8) ** 0.5
    sign = 1 if change.get("uphill") else -1
    return weight + sign * 0.01 * m / size, mean, square


def adam_from_zero(weight: Any, gradient: Any, mean: Any, square: Any, step: Any) -> tuple[Any, Any, Any]:
    """Divide tensors, so that 1 - 1 gives nan and no exception."""
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient**2
    n = torch.tensor(step - 1.0)
    m, v = mean / (1 - 0.9**n), square / (1 - 0.999**n)
    return weight - 0.01 * m / (v.sqrt() + 1e-8), mean, square


def adam_returning_corrected(
    weight: Any, gradient: Any, mean: Any, square: Any, step: Any
) -> tuple[Any, Any, Any]:
    weight, mean, square = adam(weight, gradient, mean, square, step)
    return weight, mean / (1 - 0.9**step), square / (1 - 0.999**step)


def adam_in_place(weight: Any, gradient: Any, mean: Any, square: Any, step: Any) -> tuple[Any, Any, Any]:
    mean.lerp_(gradient, 0.1)
    square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    rate = 0.01 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    weight -= rate * mean / (square.sqrt() + 1e-8 * math.sqrt(1 - 0.999**step))
    return weight, mean, square


def adam_with_epsilon_first(
    weight: Any, gradient: Any, mean: Any, square: Any, step: Any
) -> tuple[Any, Any, Any]:
    _, mean, square = adam(weight, gradient, mean, square, step)
    rate = 0.01 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return weight - rate * mean / (square.sqrt() + 1e-8), mean, square


def wrong(**change: Any) -> Any:
    return lambda *args: adam(*args, **change)


RIGHT: list[tuple[str, Any]] = [
    ("rising_rates", rates),
    ("rising_rates", lambda low, high, steps: np.geomspace(low, high, steps)),
    ("rising_rates", lambda low, high, steps: torch.logspace(math.log10(low), math.log10(high), steps)),
    ("smooth_losses", smooth),
    ("smooth_losses", lambda losses, keep: torch.tensor(smooth(losses, keep))),
    ("smooth_losses", smooth_as_weighted_means),
    ("suggest_rate", lambda rates, losses: rates[np.argmin(losses)] / 3),
    ("suggest_rate", lambda rates, losses: min(zip(losses, rates, strict=True))[1] / 3),
    (
        "suggest_rate",
        lambda rates, losses: sorted(zip(losses, rates, strict=True))[0][1] / 3,
    ),
    ("cosine_with_warm_up", shape),
    (
        "cosine_with_warm_up",
        lambda progress, peak: min(
            progress / peak, math.cos(math.pi / 2 * max(0, progress - peak) / (1 - peak)) ** 2
        ),
    ),
    ("adam_step", adam),
    ("adam_step", adam_in_place),
    ("adam_step", lambda *before: [part.double() for part in adam(*before)]),
    ("steps_per_run", lambda images, batch_size, epochs: -(-images // batch_size) * epochs),
    ("steps_per_run", lambda images, batch_size, epochs: len(range(0, images, batch_size)) * epochs),
]
WRONG: list[tuple[str, str, Any]] = [
    ("rising_rates", "linear", lambda low, high, steps: np.linspace(low, high, steps)),
    (
        "rising_rates",
        "stops short",
        lambda low, high, steps: [low * (high / low) ** (i / steps) for i in range(steps)],
    ),
    (
        "rising_rates",
        "starts late",
        lambda low, high, steps: [low * (high / low) ** ((i + 1) / steps) for i in range(steps)],
    ),
    ("rising_rates", "one too many", lambda low, high, steps: np.geomspace(low, high, steps + 1)),
    (
        "rising_rates",
        "exponents",
        lambda low, high, steps: np.linspace(math.log10(low), math.log10(high), steps),
    ),
    ("rising_rates", "falling", lambda low, high, steps: np.geomspace(high, low, steps)),
    ("rising_rates", "kind", lambda low, high, steps: low),
    ("rising_rates", "counter-example", lambda low, high, steps: [low] * steps),
    ("rising_rates", "kind", lambda low, high, steps: map(float, np.geomspace(low, high, steps))),
    ("rising_rates", "rates as exponents", np.logspace),
    ("rising_rates", "fixed factor", lambda low, high, steps: [low * 2**step for step in range(steps)]),
    ("smooth_losses", "step too early", lambda losses, keep: smooth(losses, keep, power=-1)),
    ("smooth_losses", "kind", lambda losses, keep: iter(smooth(losses, keep))),
    ("smooth_losses", "counter-example", lambda losses, keep: [0.0, *smooth(losses, keep)]),
    ("smooth_losses", "not corrected", lambda losses, keep: smooth(losses, keep, correct=False)),
    ("smooth_losses", "first loss", lambda losses, keep: smooth(losses, keep, losses[0], correct=False)),
    ("smooth_losses", "exchanged", lambda losses, keep: smooth(losses, 1 - keep)),
    (
        "smooth_losses",
        "exchanged, not corrected",
        lambda losses, keep: smooth(losses, 1 - keep, correct=False),
    ),
    ("smooth_losses", "step too late", lambda losses, keep: smooth(losses, keep, power=1)),
    (
        "smooth_losses",
        "wrong share",
        lambda losses, keep: [
            average / (1 - (1 - keep) ** n)
            for n, average in enumerate(smooth(losses, keep, correct=False), start=1)
        ],
    ),
    (
        "smooth_losses",
        "corrected alike",
        lambda losses, keep: [a / (1 - keep) for a in smooth(losses, keep, correct=False)],
    ),
    ("smooth_losses", "always 0.9", lambda losses, keep: smooth(losses, 0.9)),
    ("smooth_losses", "last alone", lambda losses, keep: smooth(losses, keep)[-1:]),
    ("smooth_losses", "as they were", lambda losses, keep: losses),
    ("smooth_losses", "mean so far", lambda losses, keep: np.cumsum(losses) / np.arange(1, len(losses) + 1)),
    ("smooth_losses", "last alone", lambda losses, keep: smooth(losses, keep)[-1]),
    ("smooth_losses", "counter-example", lambda losses, keep: smooth(losses, keep)[::-1]),
    ("suggest_rate", "the edge", lambda rates, losses: rates[np.argmin(losses)]),
    ("suggest_rate", "position", lambda rates, losses: np.argmin(losses)),
    ("suggest_rate", "position", lambda rates, losses: np.argmin(losses) / 3),
    ("suggest_rate", "a third of the way", lambda rates, losses: rates[np.argmin(losses) // 3]),
    ("suggest_rate", "the loss", lambda rates, losses: min(losses)),
    ("suggest_rate", "the loss", lambda rates, losses: min(losses) / 3),
    ("suggest_rate", "highest loss", lambda rates, losses: rates[np.argmax(losses)] / 3),
    ("suggest_rate", "lowest rate", lambda rates, losses: min(rates) / 3),
    ("suggest_rate", "times three", lambda rates, losses: rates[np.argmin(losses)] * 3),
    ("suggest_rate", "smoothed again", lambda rates, losses: rates[np.argmin(smooth(losses, 0.9))] / 3),
    ("suggest_rate", "steepest", lambda rates, losses: rates[np.argmin(np.diff(losses)) + 1]),
    ("suggest_rate", "kind", lambda rates, losses: (rates, losses)),
    ("suggest_rate", "kind", 0.1),
    ("suggest_rate", "counter-example", lambda rates, losses: 0.123),
    ("cosine_with_warm_up", "no warm-up", lambda p, peak: (1 + math.cos(math.pi * p)) / 2),
    ("cosine_with_warm_up", "no one", lambda p, peak: shape(p, peak, lambda x: math.cos(math.pi * x))),
    (
        "cosine_with_warm_up",
        "not halved",
        lambda p, peak: shape(p, peak, lambda x: 1 + math.cos(math.pi * x)),
    ),
    ("cosine_with_warm_up", "quarter", lambda p, peak: shape(p, peak, lambda x: math.cos(math.pi * x / 2))),
    (
        "cosine_with_warm_up",
        "full turn",
        lambda p, peak: shape(p, peak, lambda x: (1 + math.cos(6.2831853 * x)) / 2),
    ),
    ("cosine_with_warm_up", "degrees", lambda p, peak: shape(p, peak, lambda x: (1 + math.cos(180 * x)) / 2)),
    ("cosine_with_warm_up", "linear", lambda p, peak: shape(p, peak, lambda x: 1 - x)),
    (
        "cosine_with_warm_up",
        "clock not reset",
        lambda p, peak: p / peak if p < peak else (1 + math.cos(math.pi * p)) / 2,
    ),
    (
        "cosine_with_warm_up",
        "not stretched",
        lambda p, peak: p / peak if p < peak else (1 + math.cos(math.pi * (p - peak))) / 2,
    ),
    ("cosine_with_warm_up", "slow rise", lambda p, peak: p if p < peak else shape(p, peak)),
    ("suggest_rate", "exception", lambda rates, losses: rates[losses.argmin()] / 3),
    ("suggest_rate", "counter-example", lambda rates, losses: round(rates[np.argmin(losses)] / 3, 2)),
    ("cosine_with_warm_up", "joint", lambda p, peak: None if p == peak else shape(p, peak)),
    ("cosine_with_warm_up", "counter-example", lambda p, peak: shape(p, 0.2)),
    ("cosine_with_warm_up", "kind", lambda p, peak: None),
    ("cosine_with_warm_up", "counter-example", lambda p, peak: 1.0),
    ("adam_step", "epsilon first", adam_with_epsilon_first),
    ("adam_step", "kind", lambda *before: tuple(part.numpy() for part in adam(*before))),
    ("adam_step", "order", lambda *before: (adam(*before)[0], *adam(*before)[:0:-1])),
    (
        "adam_step",
        "rate",
        lambda weight, *rest: (0.9 * weight + 0.1 * adam(weight, *rest)[0], *adam(weight, *rest)[1:]),
    ),
    ("adam_step", "no correction", wrong(raw=True)),
    ("adam_step", "correction late", wrong(late=1)),
    ("adam_step", "no root", wrong(no_root=True)),
    ("adam_step", "uphill", wrong(uphill=True)),
    ("adam_step", "not squared", wrong(not_squared=True)),
    ("adam_step", "momentum alone", wrong(momentum=True)),
    ("adam_step", "correction early", adam_from_zero),
    ("adam_step", "epsilon inside", wrong(inside=True)),
    ("adam_step", "no epsilon", wrong(no_epsilon=True)),
    ("adam_step", "betas", wrong(betas=(0.999, 0.9))),
    ("adam_step", "averages", adam_returning_corrected),
    ("adam_step", "kind", lambda weight, gradient, mean, square, step: weight - 0.01 * gradient),
    (
        "adam_step",
        "counter-example",
        lambda weight, gradient, mean, square, step: (weight - gradient, mean, square),
    ),
    ("steps_per_run", "last batch dropped", lambda images, batch_size, epochs: images // batch_size * epochs),
    ("steps_per_run", "not rounded", lambda images, batch_size, epochs: images / batch_size * epochs),
    (
        "steps_per_run",
        "rounded at the end",
        lambda images, batch_size, epochs: -(-images * epochs // batch_size),
    ),
    ("steps_per_run", "one epoch", lambda images, batch_size, epochs: -(-images // batch_size)),
    ("steps_per_run", "images", lambda images, batch_size, epochs: images * epochs),
    ("steps_per_run", "one more", lambda images, batch_size, epochs: (images // batch_size + 1) * epochs),
    (
        "steps_per_run",
        "to the nearest",
        lambda images, batch_size, epochs: round(images / batch_size) * epochs,
    ),
    ("steps_per_run", "counter-example", lambda images, batch_size, epochs: math.ceil(images / 128) * epochs),
    ("steps_per_run", "kind", lambda images, batch_size, epochs: torch.zeros(3)),
    ("steps_per_run", "counter-example", lambda images, batch_size, epochs: 0),
]
