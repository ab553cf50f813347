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


def suggest(pick: Any = np.argmin, share: float = 3, times: int = 1, start: Any = None, **how: Any) -> Any:
    """Return a `suggest_rate` with a mistake built in."""

    def suggest_rate(rates: Any, losses: Any, keep: Any) -> Any:
        for _ in range(times):
            losses = smooth(losses, how.get("keep", keep), correct=how.get("correct", True))
        return rates[int(pick(losses))] / share

    return suggest_rate


def run_rates(
    batches: Any = math.ceil,
    total: Any = lambda batches, epochs: batches * epochs,
    progress: Any = lambda step, steps, per_epoch: step / steps,
    combine: Any = lambda rate, factor: rate * factor,
) -> Any:
    """Return a `rates_of_run` with a mistake built in."""

    def rates_of_run(images: Any, batch_size: Any, epochs: Any, rate: Any, schedule: Any) -> Any:
        per_epoch = batches(images / batch_size)
        steps = total(per_epoch, epochs)
        return [combine(rate, schedule(progress(step, steps, per_epoch))) for step in range(int(steps))]

    return rates_of_run


def run_rates_by_epoch(images: Any, batch_size: Any, epochs: Any, rate: Any, schedule: Any) -> Any:
    """Go through epochs and batches, and count."""
    starts = [(epoch, first) for epoch in range(epochs) for first in range(0, images, batch_size)]
    return np.array([rate * schedule(done / len(starts)) for done in range(len(starts))])


def sgd(w: Any, g: Any, v: Any, momentum: Any, weight_decay: Any, nesterov: Any) -> Any:
    g = g.add(w, alpha=weight_decay)
    v = v * momentum + g
    return w - 0.1 * (g + momentum * v if nesterov else v), v


def sgd_by_torch(w: Any, g: Any, v: Any, momentum: Any, weight_decay: Any, nesterov: Any) -> Any:
    """Let PyTorch take the step, with the velocity put into its state."""
    parameter = w.clone().requires_grad_()
    parameter.grad = g.clone()
    optimizer = torch.optim.SGD(
        [parameter], 0.1, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov
    )
    buffer = v.clone()
    optimizer.state[parameter]["momentum_buffer"] = buffer
    optimizer.step()
    return parameter.detach(), buffer if momentum else g + weight_decay * w


def sgd_with(step: Any) -> Any:
    """Return an `sgd_step` from the decayed gradient, the new and the old velocity."""

    def sgd_step(w: Any, g: Any, v: Any, momentum: Any, weight_decay: Any, nesterov: Any) -> Any:
        g = g + weight_decay * w
        new = momentum * v + g
        return step(w, g, new, v, momentum if nesterov else 0.0), new

    return sgd_step


def sgd_as_in_the_papers(w: Any, g: Any, v: Any, momentum: Any, weight_decay: Any, nesterov: Any) -> Any:
    g = g + weight_decay * w
    v = momentum * v - 0.1 * g
    return w + (momentum * v - 0.1 * g if nesterov else v), v


def sgd_with_the_bare_gradient(
    w: Any, g: Any, v: Any, momentum: Any, weight_decay: Any, nesterov: Any
) -> Any:
    v = momentum * v + g + weight_decay * w
    return w - 0.1 * (g + momentum * v if nesterov else v), v


def sgd_dampened(w: Any, g: Any, v: Any, momentum: Any, weight_decay: Any, nesterov: Any) -> Any:
    g = g + weight_decay * w
    v = momentum * v + (1 - momentum) * g
    return w - 0.1 * (g + momentum * v if nesterov else v), v


def sgd_returning_the_direction(w: Any, g: Any, v: Any, *settings: Any) -> Any:
    stepped, _ = sgd(w, g, v, *settings)
    return stepped, (w - stepped) / 0.1


def sgd_decoupled(w: Any, g: Any, v: Any, momentum: Any, weight_decay: Any, nesterov: Any) -> Any:
    new, v = sgd(w, g, v, momentum, 0.0, nesterov)
    return new - 0.1 * weight_decay * w, v


def sgd_decayed_at_the_end(w: Any, g: Any, v: Any, momentum: Any, weight_decay: Any, nesterov: Any) -> Any:
    v = momentum * v + g
    return w - 0.1 * ((g + momentum * v if nesterov else v) + weight_decay * w), v


def adam(
    weight: Any, gradient: Any, mean: Any, square: Any, step: Any, **change: Any
) -> tuple[Any, Any, Any]:
    first, second = change.get("betas", (0.9, 0.999))
    mean = first * mean + (1 - first) * gradient
    square = second * square + (1 - second) * (gradient.abs() if change.get("not_squared") else gradient**2)
    first, second = change.get("corrections", (first, second))
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
    ("cosine_with_warm_up", shape),
    (
        "cosine_with_warm_up",
        lambda progress, peak: min(
            progress / peak, math.cos(math.pi / 2 * max(0, progress - peak) / (1 - peak)) ** 2
        ),
    ),
    ("suggest_rate", suggest()),
    (
        "suggest_rate",
        lambda rates, losses, keep: (
            min(zip(smooth_as_weighted_means(losses, keep), rates, strict=True))[1] / 3
        ),
    ),
    ("rates_of_run", run_rates()),
    ("rates_of_run", run_rates_by_epoch),
    ("sgd_step", sgd),
    ("sgd_step", sgd_by_torch),
    ("adam_step", adam),
    ("adam_step", adam_in_place),
    ("adam_step", lambda *before: [part.double() for part in adam(*before)]),
]
WRONG: list[tuple[str, str, Any]] = [
    ("suggest_rate", "not smoothed", lambda rates, losses, keep: rates[np.argmin(losses)] / 3),
    ("suggest_rate", "the edge", suggest(share=1)),
    ("suggest_rate", "position", lambda rates, losses, keep: np.argmin(smooth(losses, keep))),
    ("suggest_rate", "position", lambda rates, losses, keep: np.argmin(smooth(losses, keep)) / 3),
    ("suggest_rate", "a third of the way", suggest(lambda losses: np.argmin(losses) // 3, share=1)),
    ("suggest_rate", "the loss", lambda rates, losses, keep: min(smooth(losses, keep))),
    ("suggest_rate", "the loss", lambda rates, losses, keep: min(smooth(losses, keep)) / 3),
    ("suggest_rate", "highest loss", suggest(np.argmax)),
    ("suggest_rate", "first rate", lambda rates, losses, keep: min(rates) / 3),
    ("suggest_rate", "first rate", suggest(correct=False)),
    ("suggest_rate", "highest rate", lambda rates, losses, keep: max(rates) / 3),
    ("suggest_rate", "times three", suggest(share=1 / 3)),
    ("suggest_rate", "smoothed twice", suggest(times=2)),
    ("suggest_rate", "another share", suggest(keep=0.9)),
    ("suggest_rate", "steepest", suggest(lambda losses: np.argmin(np.diff(losses)) + 1, share=1)),
    ("suggest_rate", "kind", lambda rates, losses, keep: (rates, losses)),
    ("suggest_rate", "kind", 0.1),
    ("suggest_rate", "exception", lambda rates, losses, keep: rates[losses.argmin()] / 3),
    ("suggest_rate", "counter-example", lambda rates, losses, keep: 0.123),
    ("suggest_rate", "counter-example", lambda *case: round(suggest()(*case), 2)),
    ("rates_of_run", "last batch dropped", run_rates(math.floor)),
    ("rates_of_run", "to the nearest", run_rates(round)),
    ("rates_of_run", "exception", lambda images, batch, epochs, rate, schedule: [0.0] * (images / batch)),
    (
        "rates_of_run",
        "rounded at the end",
        run_rates(float, lambda batches, epochs: math.ceil(batches * epochs)),
    ),
    ("rates_of_run", "one more", run_rates(lambda batches: int(batches) + 1)),
    ("rates_of_run", "one epoch", run_rates(total=lambda batches, epochs: batches)),
    ("rates_of_run", "one rate per epoch", run_rates(total=lambda batches, epochs: epochs)),
    (
        "rates_of_run",
        "images",
        lambda images, batch, epochs, rate, schedule: run_rates()(images, 1, epochs, rate, schedule),
    ),
    (
        "rates_of_run",
        "starts again",
        run_rates(progress=lambda step, steps, batches: step % batches / batches),
    ),
    (
        "rates_of_run",
        "constant in an epoch",
        run_rates(progress=lambda step, steps, batches: step // batches / (steps / batches)),
    ),
    ("rates_of_run", "one step late", run_rates(progress=lambda step, steps, batches: (step + 1) / steps)),
    ("rates_of_run", "ends at 1", run_rates(progress=lambda step, steps, batches: step / (steps - 1))),
    ("rates_of_run", "number of the step", run_rates(progress=lambda step, steps, batches: step)),
    ("rates_of_run", "factors", run_rates(combine=lambda rate, factor: factor)),
    ("rates_of_run", "constant", run_rates(combine=lambda rate, factor: rate)),
    ("rates_of_run", "schedule of the rate", run_rates(combine=lambda rate, factor: rate + factor)),
    ("rates_of_run", "kind", lambda images, batch_size, epochs, rate, schedule: 7),
    ("rates_of_run", "kind", lambda *case: iter(run_rates()(*case))),
    ("rates_of_run", "counter-example", lambda *case: run_rates()(*case)[::-1]),
    ("sgd_step", "kind", lambda w, g, v, *settings: sgd(w, g, v, *settings)[0]),
    ("sgd_step", "kind", lambda w, g, v, *settings: (*sgd(w, g, v, *settings), g)),
    ("sgd_step", "rate inside", sgd_as_in_the_papers),
    ("sgd_step", "dampened", sgd_dampened),
    ("sgd_step", "no momentum", lambda w, g, v, momentum, *rest: sgd(w, g, v, 0.0, *rest)),
    ("sgd_step", "no decay", lambda w, g, v, momentum, decay, ahead: sgd(w, g, v, momentum, 0.0, ahead)),
    (
        "sgd_step",
        "decay upwards",
        lambda w, g, v, momentum, decay, ahead: sgd(w, g, v, momentum, -decay, ahead),
    ),
    (
        "sgd_step",
        "factor of two",
        lambda w, g, v, momentum, decay, ahead: sgd(w, g, v, momentum, 2 * decay, ahead),
    ),
    ("sgd_step", "decoupled", sgd_decoupled),
    ("sgd_step", "decoupled", sgd_decayed_at_the_end),
    ("sgd_step", "no Nesterov", lambda w, g, v, momentum, decay, ahead: sgd(w, g, v, momentum, decay, False)),
    (
        "sgd_step",
        "always Nesterov",
        lambda w, g, v, momentum, decay, ahead: sgd(w, g, v, momentum, decay, True),
    ),
    (
        "sgd_step",
        "no Nesterov",
        sgd_with(lambda w, g, new, old, mu: w - 0.1 * (g + mu * old if mu else new)),
    ),
    (
        "sgd_step",
        "Nesterov without the gradient",
        sgd_with(lambda w, g, new, old, mu: w - 0.1 * (g + new if mu else new)),
    ),
    ("sgd_step", "uphill", sgd_with(lambda w, g, new, old, mu: w + 0.1 * (g + mu * new if mu else new))),
    ("sgd_step", "rate", sgd_with(lambda w, g, new, old, mu: w - (g + mu * new if mu else new))),
    ("sgd_step", "velocity not returned", lambda w, g, v, *settings: (sgd(w, g, v, *settings)[0], v)),
    (
        "sgd_step",
        "old velocity",
        sgd_with(lambda w, g, new, old, mu: w - 0.1 * (g + mu * new if mu else old)),
    ),
    ("sgd_step", "Nesterov without the decay", sgd_with_the_bare_gradient),
    ("sgd_step", "direction returned", sgd_returning_the_direction),
    ("sgd_step", "order", lambda *call: sgd(*call)[::-1]),
    ("sgd_step", "exception", lambda w, g, v, *settings: w - 0.1 * g.grad),
    ("sgd_step", "counter-example", lambda w, g, v, *settings: (w, v)),
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
        "exchanged",
        lambda losses, keep: [
            average / (1 - keep**n)
            for n, average in enumerate(smooth(losses, 1 - keep, correct=False), start=1)
        ],
    ),
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
    ("smooth_losses", "kind", lambda losses, keep: smooth(losses, keep)[-1]),
    ("smooth_losses", "counter-example", lambda losses, keep: smooth(losses, keep)[::-1]),
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
    (
        "cosine_with_warm_up",
        "curved rise",
        lambda p, peak: (1 - math.cos(math.pi * p / peak)) / 2 if p < peak else shape(p, peak),
    ),
    (
        "cosine_with_warm_up",
        "not halved",
        lambda p, peak: p / peak if p <= peak else shape(p, peak, lambda x: 1 + math.cos(math.pi * x)),
    ),
    (
        "cosine_with_warm_up",
        "clock not reset",
        lambda p, peak: p / peak if p <= peak else (1 + math.cos(math.pi * p)) / 2,
    ),
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
    ("adam_step", "betas", wrong(betas=(0.1, 0.001), corrections=(0.9, 0.999))),
    ("adam_step", "averages", adam_returning_corrected),
    ("adam_step", "kind", lambda weight, gradient, mean, square, step: weight - 0.01 * gradient),
    (
        "adam_step",
        "counter-example",
        lambda weight, gradient, mean, square, step: (weight - gradient, mean, square),
    ),
]
