"""Exercises of lab 7: learning rates."""

import math
from collections.abc import Callable
from functools import partial
from itertools import islice
from random import Random
from typing import Any, cast

import torch
from torch import Tensor

from deepernets.course.exercises.judging import FunctionExercise, Mistake
from deepernets.course.exercises.values import (
    Reader,
    Unsuitable,
    attempt,
    kind_of,
    normal,
    number,
    numbers,
    show,
    tensor,
)


def _listed(what: str) -> Reader:
    """Return a reader of a list of numbers that later cells may index and go through twice, unlike an iterator."""

    def read(value: Any) -> Any:
        if not hasattr(type(value), "__getitem__"):
            raise Unsuitable(f"Expected a list of numbers: {what}; got {kind_of(value)}.")
        return numbers(what)(value)

    return read


Ladder = Callable[[float, float, int], Any]


def _rates(
    share: Callable[[int, int], float] = lambda step, steps: step / (steps - 1), more: int = 0
) -> Ladder:
    """Return rates by the share of the way that a step has gone."""
    return lambda low, high, steps: [low * (high / low) ** share(step, steps) for step in range(steps + more)]


def _linear(low: float, high: float, steps: int) -> list[float]:
    return [low + (high - low) * step / (steps - 1) for step in range(steps)]


RISING_RATES = FunctionExercise(
    "rising_rates(low, high, steps)",
    returns=_listed("one rate per step"),
    reference=_rates(),
    inputs=lambda draw: [
        (1.0, 16.0, 3),
        (0.5, 2.0, 2),
        (0.01, draw.uniform(1, 9), draw.randint(4, 15)),
        (draw.uniform(0.001, 0.1), draw.uniform(1, 90), draw.choice((20, 51))),
    ],
    tolerance=1e-5,
    mistakes=[
        Mistake("linear", _linear, "The rates rise by the same amount at each step, not by the same factor."),
        Mistake(
            "stops short",
            _rates(lambda step, steps: step / steps),
            "The last rate is not `high`: between n rates there are n - 1 gaps.",
        ),
        Mistake(
            "starts late",
            _rates(lambda step, steps: (step + 1) / steps),
            "The first rate is not `low`: the first step has number 0.",
        ),
        Mistake(
            "one too many",
            _rates(lambda step, steps: step / steps, more=1),
            "That is one rate too many: both ends count among the steps.",
        ),
        Mistake(
            "exponents",
            [
                lambda low, high, steps: _linear(math.log10(low), math.log10(high), steps),
                lambda low, high, steps: _linear(math.log(low), math.log(high), steps),
            ],
            "Those are the logarithms of the rates. Which function undoes them?",
        ),
        Mistake(
            "rates as exponents",
            [
                lambda low, high, steps: [10**rate for rate in _linear(low, high, steps)],
                lambda low, high, steps: [math.exp(rate) for rate in _linear(low, high, steps)],
            ],
            "You take `low` and `high` for exponents, as `logspace` does. They are the rates themselves.",
        ),
        Mistake("falling", lambda low, high, steps: _rates()(high, low, steps), "Your rates fall."),
        Mistake(
            "no root",
            [
                _rates(lambda step, steps: step),
                lambda low, high, steps: [low * (high / low / (steps - 1)) ** step for step in range(steps)],
                lambda low, high, steps: [low * (high / low / steps) ** step for step in range(steps)],
            ],
            "Your factor is too large: taken steps - 1 times, it must be high / low.",
        ),
        Mistake(
            "fixed factor",
            [
                lambda low, high, steps: [low * 2**step for step in range(steps)],
                lambda low, high, steps: [low * 10**step for step in range(steps)],
            ],
            "Your factor is always the same. It follows from `low`, `high` and `steps`.",
        ),
    ],
)


def _losses(draw: Random) -> list[tuple[list[float], float]]:
    """Return losses as of a range test, noisy, falling, then rising, and shares to keep."""
    cases = [([2.0], 0.9), ([2.0, 1.0], 0.5)]
    for count, keep in ((7, draw.choice((0.6, 0.7, 0.8))), (20, draw.choice((0.85, 0.9, 0.95)))):
        around = (2.3 - 1.5 * math.exp(-(((step - count * 0.7) / 6) ** 2)) for step in range(count))
        cases.append(([loss + draw.uniform(-0.3, 0.3) for loss in around], keep))
    return cases


Smooth = Callable[[list[float], float], Any]


def _averages(
    divisor: Callable[[float, int], float] = lambda keep, n: 1 - keep**n,
    start: Callable[[list[float]], float] = lambda losses: 0.0,
    kept: Callable[[float], float] = lambda keep: keep,
    consistent: bool = True,
) -> Smooth:
    """Return exponential moving averages, the n-th divided by a function of what is kept, or of `keep`, and n."""

    def smooth(losses: list[float], keep: float) -> list[float]:
        average, averages, weight = start(losses), [], kept(keep)
        for n, loss in enumerate(losses, start=1):
            average = weight * average + (1 - weight) * loss
            averages.append(average / divisor(weight if consistent else keep, n))
        return averages

    return smooth


def _uncorrected(keep: float, n: int) -> float:
    return 1.0


def _fed_back(losses: list[float], keep: float) -> list[float]:
    average, averages = 0.0, []
    for n, loss in enumerate(losses, start=1):
        average = (keep * average + (1 - keep) * loss) / (1 - keep**n)
        averages.append(average)
    return averages


SMOOTH_LOSSES = FunctionExercise(
    "smooth_losses(losses, keep)",
    returns=_listed("one average for each loss"),
    reference=_averages(),
    inputs=_losses,
    mistakes=[
        Mistake(
            "not corrected",
            _averages(_uncorrected),
            "The averages start far too low: they still hold a share of the 0 at the start.",
        ),
        Mistake(
            "first loss",
            _averages(_uncorrected, start=lambda losses: losses[0]),
            "You start with the first loss, which then counts too much. Start at 0 and correct for it.",
        ),
        Mistake(
            "exchanged",
            [_averages(kept=lambda keep: 1 - keep, consistent=same) for same in (True, False)],
            "The weights are exchanged: `keep` is for the average so far, the rest for the new loss.",
        ),
        Mistake(
            "exchanged, not corrected",
            _averages(_uncorrected, kept=lambda keep: 1 - keep),
            "`keep` is the weight of the average so far. The correction is missing as well.",
        ),
        Mistake(
            "step too late",
            _averages(lambda keep, n: 1 - keep ** (n + 1)),
            "The correction is one step too far: at the first loss it divides by 1 - keep.",
        ),
        Mistake(
            "step too early",
            _averages(lambda keep, n: 1 - keep ** (n - 1)),
            "You divide by 0. If that is 1 - keep⁰ at the first loss, count the losses from 1.",
        ),
        Mistake(
            "corrected alike",
            _averages(lambda keep, n: 1 - keep),
            "You divide by the same number at every step. The start weighs less and less.",
        ),
        Mistake(
            "wrong share",
            _averages(lambda keep, n: 1 - (1 - keep) ** n),
            "After n losses the start still has the weight keep to the power of n.",
        ),
        Mistake(
            "fed back",
            _fed_back,
            "You go on from the corrected average. The next one builds on the average before its correction.",
        ),
        Mistake(
            "always 0.9",
            [_averages(kept=lambda keep: 0.9), lambda losses, keep: _averages(_uncorrected)(losses, 0.9)],
            "You average with 0.9 whatever `keep` is.",
        ),
        Mistake("as they were", lambda losses, keep: losses, "Those are the losses. Nothing is smoothed."),
        Mistake(
            "mean so far",
            lambda losses, keep: [sum(losses[: n + 1]) / (n + 1) for n in range(len(losses))],
            "That is the mean of all losses so far, in which old ones never fade.",
        ),
        Mistake(
            "last alone",
            lambda losses, keep: _averages()(losses, keep)[-1:],
            "That is the last average alone. Return one for each loss.",
        ),
    ],
)

Suggest = Callable[[list[float], list[float], float], float]


def _range_tests(draw: Random) -> list[tuple[list[float], list[float], float]]:
    """Return rates, noisy losses that fall and rise, and shares to keep.

    Smoothing moves the lowest loss, and smoothing twice, or with another share, moves it to other places.
    """
    cases = [([0.01, 0.03, 0.1, 0.3, 1.0], [1.0, 3.0, 0.25, 0.2, 0.9], 0.5)]
    while len(cases) < 3:
        count, keep = draw.randint(34, 40), draw.choice((0.6, 0.7, 0.8))
        lowest = draw.randint(18, 26)
        rates = [10 ** (-3 + 4 * step / (count - 1)) for step in range(count)]
        losses = [
            1.1 - 0.6 * math.exp(-(((step - lowest) / 9) ** 2)) + max(0, step - lowest) ** 2 / 40
            for step in range(count)
        ]
        losses = [loss + draw.uniform(0, 0.25) for loss in losses]
        smooth = _averages()
        variants = [losses, smooth(losses, keep), smooth(smooth(losses, keep), keep), smooth(losses, 0.9)]
        apart = all(sorted(variant)[1] - min(variant) > 1e-4 for variant in variants)
        if apart and len({0, count - 1, *map(_lowest, variants)}) == 6:
            cases.append((rates, losses, keep))
    return cases


def _at(place: Callable[[list[float]], int], share: float = 1 / 3, smooth: Smooth | None = None) -> Suggest:
    """Return a share of the rate at a place that the smoothed losses decide."""
    return lambda rates, losses, keep: share * rates[place((smooth or _averages())(losses, keep))]


def _lowest(losses: list[float]) -> int:
    return losses.index(min(losses))


def _steepest(losses: list[float]) -> int:
    return min(range(1, len(losses)), key=lambda step: losses[step] - losses[step - 1])


def _as_they_are(losses: list[float], keep: float) -> list[float]:
    return losses


SUGGEST_RATE = FunctionExercise(
    "suggest_rate(rates, losses, keep)",
    returns=number("the rate to train with"),
    reference=_at(_lowest),
    inputs=_range_tests,
    mistakes=[
        Mistake(
            "not smoothed",
            [_at(_lowest, smooth=_as_they_are), _at(_lowest, 1, _as_they_are)],
            "You take the lowest of the single losses, which noise decides. Smooth them first.",
        ),
        Mistake(
            "the edge",
            _at(_lowest, 1),
            "That is the rate with the lowest smoothed loss itself, where the loss is about to rise. How far below "
            "it does the exercise ask you to stay?",
        ),
        Mistake(
            "position",
            [
                lambda rates, losses, keep: _lowest(_averages()(losses, keep)),
                lambda rates, losses, keep: _lowest(_averages()(losses, keep)) / 3,
            ],
            "You return a position in the list, or a third of one. Which rate is at that position?",
        ),
        Mistake(
            "a third of the way",
            _at(lambda losses: _lowest(losses) // 3, 1),
            "That is the rate a third of the way along the list. Take a third of the rate.",
        ),
        Mistake(
            "the loss",
            [
                lambda rates, losses, keep: min(_averages()(losses, keep)),
                lambda rates, losses, keep: min(_averages()(losses, keep)) / 3,
            ],
            "You return the lowest loss, or a third of it. Which rate had that loss?",
        ),
        Mistake(
            "highest loss",
            [_at(lambda losses: losses.index(max(losses))), _at(lambda losses: losses.index(max(losses)), 1)],
            "You look for the highest loss.",
        ),
        Mistake(
            "highest rate",
            [_at(lambda losses: -1), _at(lambda losses: -1, 1)],
            "The last rate has nothing to do with the losses: it is only where the test ended.",
        ),
        Mistake(
            "first rate",
            [_at(lambda losses: 0), _at(lambda losses: 0, 1)],
            "You take the first rate, whatever the losses. Averages that are not corrected for their start at 0 "
            "are lowest there.",
        ),
        Mistake(
            "times three", _at(_lowest, 3), "Three times that rate is beyond the edge. Go the other way."
        ),
        Mistake(
            "smoothed twice",
            _at(_lowest, smooth=lambda losses, keep: _averages()(_averages()(losses, keep), keep)),
            "You smooth the losses twice, so they lag twice.",
        ),
        Mistake(
            "another share",
            [
                _at(_lowest, smooth=lambda losses, keep: _averages()(losses, 0.9)),
                _at(_lowest, smooth=lambda losses, keep: _averages()(losses, 1 - keep)),
            ],
            "You smooth with another share than `keep`.",
        ),
        Mistake(
            "steepest",
            [_at(_steepest, 1), _at(_steepest), _at(lambda losses: _steepest(losses) - 1, 1)],
            "That is where the loss falls fastest, a rule that others use. Here the lowest loss decides.",
        ),
    ],
)


def _points(draw: Random) -> list[tuple[float, float]]:
    """Return shares of the training done, and peaks: each peak with both ends, the peak itself, and between."""
    points = []
    for peak in (0.5, draw.choice((0.1, 0.2, 0.3)), draw.choice((0.6, 0.75, 0.9))):
        shares = (0.0, peak / 2, peak, (peak + 1) / 2, draw.uniform(peak, 1), 1.0, peak / 4)
        points += [(progress, peak) for progress in shares]
    return points


Shape = Callable[[float, float], Any]


def _half_cosine(x: float) -> float:
    return (1 + math.cos(math.pi * x)) / 2


def _shape(
    fall: Callable[[float], float] = _half_cosine,
    rise: Callable[[float, float], float] = lambda progress, peak: progress / peak,
    clock: Callable[[float, float], float] = lambda progress, peak: (progress - peak) / (1 - peak),
    joint: Callable[[], Any] | None = None,
) -> Shape:
    """Return a schedule that rises, and then falls by the share of the rest that `clock` gives."""

    def shape(progress: float, peak: float) -> Any:
        if progress == peak and joint:
            return joint()
        return rise(progress, peak) if progress < peak else fall(clock(progress, peak))

    return shape


COSINE_WITH_WARM_UP = FunctionExercise(
    "cosine_with_warm_up(progress, peak)",
    returns=number("the factor of the learning rate"),
    reference=_shape(),
    inputs=_points,
    mistakes=[
        Mistake(
            "no warm-up",
            lambda progress, peak: _half_cosine(progress),
            "The fall is right, but it begins too early. Before `peak` the factor rises from 0 to 1.",
        ),
        Mistake(
            "no one", _shape(lambda x: math.cos(math.pi * x)), "A cosine goes down to -1, a rate must not."
        ),
        Mistake(
            "not halved",
            [_shape(lambda x: 1 + math.cos(math.pi * x), joint=joint) for joint in (None, lambda: 1.0)],
            "1 + cos starts at 2: halve it.",
        ),
        Mistake(
            "quarter",
            _shape(lambda x: math.cos(math.pi * x / 2)),
            "That is a quarter of a turn, which ends steeply. Half a turn ends flat: π, not π/2.",
        ),
        Mistake(
            "full turn", _shape(lambda x: _half_cosine(2 * x)), "The factor rises again: half a turn is π."
        ),
        Mistake(
            "degrees",
            _shape(lambda x: (1 + math.cos(180 * x)) / 2),
            "math.cos takes radians, in which half a turn is π, not 180.",
        ),
        Mistake(
            "linear", _shape(lambda x: 1 - x), "You fall in a straight line. Half a cosine has flat ends."
        ),
        Mistake(
            "clock not reset",
            [_shape(clock=lambda progress, peak: progress, joint=joint) for joint in (None, lambda: 1.0)],
            "At the peak the fall has not begun: measure x from `peak`.",
        ),
        Mistake(
            "not stretched",
            _shape(clock=lambda progress, peak: progress - peak),
            "The fall does not arrive at 0: stretch what is left after `peak` to the length of 1.",
        ),
        Mistake(
            "slow rise",
            _shape(rise=lambda progress, peak: progress),
            "The rise does not arrive at 1: at `peak`, which part of it is done?",
        ),
        Mistake(
            "curved rise",
            [
                _shape(rise=lambda progress, peak: 1 - _half_cosine(progress / peak)),
                _shape(rise=lambda progress, peak: math.sin(math.pi / 2 * progress / peak)),
            ],
            "Your rise is curved. It is a straight line, and only the fall is a cosine.",
        ),
        Mistake(
            "starts at the peak",
            _shape(rise=lambda progress, peak: 1.0),
            "Before `peak` the factor is 1 already. It rises from 0.",
        ),
        Mistake(
            "peak mirrored",
            lambda progress, peak: _shape()(progress, 1 - peak),
            "The highest factor is in the wrong place: `peak` is counted from the start, not from the end.",
        ),
        Mistake(
            "joint",
            [_shape(joint=lambda: None), _shape(joint=lambda: 0.0)],
            "Exactly at `peak` the factor is 1: neither part covers that point.",
        ),
    ],
)

FACTORS: dict[str, Callable[[float], float]] = {
    "1 - progress": lambda progress: 1 - progress,
    "a cosine": _half_cosine,
    "1 + progress": lambda progress: 1 + progress,
}
RunRates = Callable[[int, int, int, float, Callable[[float], float]], Any]


def _rates_of_run(
    batches: Callable[[float], float] = math.ceil,
    steps: Callable[[float, int], float] = lambda batches, epochs: batches * epochs,
    progress: Callable[[int, float, float, int], float] = lambda step, steps, batches, epochs: step / steps,
    rate: Callable[[float, float], float] = lambda rate, factor: rate * factor,
) -> RunRates:
    """Return the rates of all steps from the batches of an epoch, the steps, and the progress of each step."""

    def rates(
        images: int, batch_size: int, epochs: int, peak: float, schedule: Callable[[float], float]
    ) -> Any:
        per_epoch = batches(images / batch_size)
        count = steps(per_epoch, epochs)
        shares = (progress(step, count, per_epoch, epochs) for step in range(math.ceil(count)))
        return [rate(peak, schedule(share)) for share in shares]

    return rates


def _observe_rates(
    function: RunRates, images: int, batch_size: int, epochs: int, rate: float, name: str
) -> list[float]:
    read = _listed("the rate of each step")
    return cast("list[float]", read(function(images, batch_size, epochs, rate, FACTORS[name])))


RATES_OF_RUN = FunctionExercise(
    "rates_of_run(images, batch_size, epochs, rate, schedule)",
    returns=_listed("the rate of each step"),
    reference=_rates_of_run(),
    inputs=lambda draw: [
        (10, 4, 2, 0.1, "1 - progress"),
        (12, 4, 2, 0.5, "1 + progress"),
        (5, 8, 3, 0.2, "1 + progress"),
        (
            8 * draw.randint(2, 5) + draw.randint(1, 3),
            8,
            draw.randint(3, 5),
            draw.choice((0.05, 0.3)),
            "a cosine",
        ),
        (8 * draw.randint(2, 5) + draw.randint(5, 7), 8, 2, draw.choice((0.01, 0.2)), "1 + progress"),
    ],
    observe=_observe_rates,
    shown=lambda images, batch_size, epochs, rate, name: (
        f"{images}, {batch_size}, {epochs}, {show(rate)}, a schedule that returns {name}"
    ),
    mistakes=[
        Mistake(
            "last batch dropped",
            _rates_of_run(math.floor),
            "The last batch of an epoch is smaller, but it is a step as well: round up.",
        ),
        Mistake(
            "to the nearest", _rates_of_run(round), "You round to the nearest. A small batch counts, too."
        ),
        Mistake(
            "rounded at the end",
            [_rates_of_run(float, lambda batches, epochs: math.ceil(batches * epochs)), _rates_of_run(float)],
            "Every epoch ends with a smaller batch of its own: round up before you multiply by the epochs.",
        ),
        Mistake(
            "one more",
            _rates_of_run(lambda batches: math.floor(batches) + 1),
            "You add one batch whether or not images are left over. 12 images are 3 batches of 4.",
        ),
        Mistake(
            "one epoch",
            _rates_of_run(steps=lambda batches, epochs: batches),
            "Those are the rates of one epoch. A run has several.",
        ),
        Mistake(
            "one rate per epoch",
            _rates_of_run(lambda batches: 1),
            "You return one rate for each epoch. There is one for each step.",
        ),
        Mistake(
            "images",
            [
                lambda images, batch_size, epochs, rate, schedule: [
                    rate * schedule(seen / (images * epochs)) for seen in range(images * epochs)
                ]
            ],
            "You return a rate for each image. A step takes a batch of them.",
        ),
        Mistake(
            "starts again",
            _rates_of_run(progress=lambda step, steps, batches, epochs: step % batches / batches),
            "Your schedule starts again in every epoch. Progress is the share of the whole run.",
        ),
        Mistake(
            "constant in an epoch",
            _rates_of_run(progress=lambda step, steps, batches, epochs: step // batches / epochs),
            "Your rate changes only from epoch to epoch. It changes in every step.",
        ),
        Mistake(
            "one step late",
            _rates_of_run(progress=lambda step, steps, batches, epochs: (step + 1) / steps),
            "You count the step itself as done. Before the first step the progress is 0.",
        ),
        Mistake(
            "ends at 1",
            _rates_of_run(progress=lambda step, steps, batches, epochs: step / max(steps - 1, 1)),
            "Before the last step the progress is not 1 yet: that step is still to be done.",
        ),
        Mistake(
            "number of the step",
            _rates_of_run(progress=lambda step, steps, batches, epochs: step),
            "You give the schedule the number of the step. It takes a share of the run, from 0 to 1.",
        ),
        Mistake(
            "factors",
            _rates_of_run(rate=lambda rate, factor: factor),
            "Those are the factors. What are they multiplied by?",
        ),
        Mistake(
            "constant",
            _rates_of_run(rate=lambda rate, factor: rate),
            "Your rate never changes: use `schedule`.",
        ),
        Mistake(
            "schedule of the rate",
            _rates_of_run(rate=lambda rate, factor: rate + factor),
            "The schedule gives a factor. Multiply by it.",
        ),
    ],
)


def _tensors(value: Any, shape: torch.Size, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Read the parts of an optimizer's new state."""
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    parts = attempt(lambda: list(islice(value, 4)))
    if isinstance(value, Tensor | dict) or not isinstance(parts, list) or len(parts) != len(names):
        raise Unsuitable(f"Expected {len(names)} tensors: the new {listed}; got {kind_of(value)}.")
    read = {name: tensor(name)(part) for name, part in zip(names, parts, strict=True)}
    for name, part in read.items():
        if part.shape != shape:
            raise Unsuitable(f"Expected {name} of shape {tuple(shape)}, as before; got {kind_of(part)}.")
    return read


SgdState = tuple[Tensor, Tensor]  # weight, velocity
Settings = tuple[float, float, bool]  # momentum, weight decay, Nesterov
SGD_RATE = 0.1


def _sgd(weight: Tensor, gradient: Tensor, velocity: Tensor, *settings: Any, **wrong: Any) -> SgdState:
    """Take one step of SGD as in PyTorch's documentation; each keyword makes a mistake."""
    momentum, weight_decay, nesterov = settings
    gradient = gradient + wrong.get("decay", 1.0) * weight_decay * weight
    new = momentum * velocity + wrong.get("fresh", lambda momentum: 1.0)(momentum) * gradient
    ahead = wrong.get("ahead", lambda g, new, old, momentum: g + momentum * new)
    direction = ahead(gradient, new, velocity, momentum) if nesterov else new
    shrunk = weight * (1 - wrong.get("decoupled", 0.0) * SGD_RATE * weight_decay)
    return shrunk - wrong.get("rate", SGD_RATE) * direction, new


def _rate_inside(sign: float = 1.0) -> Callable[..., SgdState]:
    """Return the papers' form, with the learning rate inside the velocity, and with a velocity of either sign."""

    def step(weight: Tensor, gradient: Tensor, velocity: Tensor, *settings: Any) -> SgdState:
        momentum, decay, nesterov = settings
        change = SGD_RATE * (gradient + decay * weight)
        velocity = momentum * velocity + sign * change
        return weight - (change + sign * momentum * velocity if nesterov else sign * velocity), velocity

    return step


def _settings(*wrong: Callable[[Settings], Settings]) -> list[Callable[..., SgdState]]:
    """Return steps that use other settings than they are given."""
    return [lambda w, g, v, *settings, change=change: _sgd(w, g, v, *change(settings)) for change in wrong]


def _runs_of_sgd(draw: Random) -> list[tuple[Any, ...]]:
    """Return a state, the gradients of some steps, and the settings: plain, with each option, with all."""

    def run(*settings: Any, steps: int = 3) -> tuple[Any, ...]:
        state = normal(draw, 2, 2), torch.zeros(2, 2)
        return (state, [normal(draw, 2, 2) for _ in range(steps)], *settings)

    first = (torch.tensor([1.0]), torch.zeros(1)), [torch.tensor([2.0]), torch.tensor([1.0])]
    some = draw.choice((0.5, 0.8, 0.9)), draw.choice((0.01, 0.05))
    cases = [
        (*first, 0.0, 0.0, False),
        (*first, 0.9, 0.0, False),
        run(0.0, 0.1, False),
        run(0.9, 0.0, True),
        run(*some, False),
        run(*some, True, steps=4),
    ]
    later = normal(draw, 3), normal(draw, 3)
    return [*cases, (later, [normal(draw, 3)], *some, True)]


def _train_sgd(
    function: Callable[..., Any], state: SgdState, gradients: list[Tensor], *settings: Any
) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}
    for step, gradient in enumerate(gradients, start=1):
        returned = function(state[0], gradient, state[1], *settings)
        parts = _tensors(returned, gradient.shape, ("weight", "velocity"))
        seen |= {f"the {name} after step {step}": part for name, part in parts.items()}
        state = tuple(returned)
    return seen


SGD_STEP = FunctionExercise(
    "sgd_step(weight, gradient, velocity, momentum, weight_decay, nesterov)",
    returns=lambda value: value,  # read by `observe`, once for each step
    reference=_sgd,
    inputs=_runs_of_sgd,
    observe=_train_sgd,
    shown=lambda state, gradients, *settings: ", ".join(
        map(show, [state[0], gradients[0], state[1], *settings])
    ),
    tries=1,
    mistakes=[
        Mistake(
            "rate inside",
            [_rate_inside(), _rate_inside(-1.0)],
            "Your velocity contains the learning rate, as in the papers. In PyTorch's form it does not.",
        ),
        Mistake(
            "dampened",
            partial(_sgd, fresh=lambda momentum: 1 - momentum),
            "You weight the new gradient with 1 - μ, as in a moving average. Here it is added in full.",
        ),
        Mistake("no momentum", _settings(lambda s: (0.0, *s[1:])), "The old velocity has no effect."),
        Mistake("no decay", _settings(lambda s: (s[0], 0.0, s[2])), "The weight decay has no effect."),
        Mistake(
            "decay upwards",
            partial(_sgd, decay=-1.0),
            "Your weight decay makes the weights larger. Its gradient is added to the gradient of the loss.",
        ),
        Mistake(
            "factor of two",
            [partial(_sgd, decay=2.0), partial(_sgd, decay=0.5)],
            "Your weight decay is off by a factor of two: what is added to the gradient is λw.",
        ),
        Mistake(
            "decoupled",
            [
                partial(_sgd, decay=0.0, decoupled=1.0),
                lambda w, g, v, momentum, decay, nesterov: _sgd(
                    w * (1 - decay), g, v, momentum, 0.0, nesterov
                ),
            ],
            "Your weight decay does not enter the velocity, as in AdamW. In SGD it is part of the gradient.",
        ),
        Mistake(
            "no Nesterov",
            _settings(lambda s: (*s[:2], False)),
            "`nesterov` has no effect. Note that g + μv is the same as without it, if v is the *old* velocity.",
        ),
        Mistake(
            "always Nesterov", _settings(lambda s: (*s[:2], True)), "You take Nesterov's step in every case."
        ),
        Mistake(
            "Nesterov without the decay",
            lambda w, g, v, momentum, decay, nesterov: (
                _sgd(w, g, v, momentum, decay, nesterov)[0] + nesterov * SGD_RATE * decay * w,
                _sgd(w, g, v, momentum, decay, nesterov)[1],
            ),
            "With Nesterov, your step takes the gradient without the weight decay. Its g contains the decay.",
        ),
        Mistake(
            "Nesterov reversed",
            _settings(lambda s: (*s[:2], not s[2])),
            "`nesterov` acts the wrong way round.",
        ),
        Mistake(
            "old velocity",
            lambda w, g, v, *settings: (
                _sgd(w, g, v, *settings)[0] if settings[2] else w - SGD_RATE * v,
                _sgd(w, g, v, *settings)[1],
            ),
            "Without Nesterov, you step with the velocity from before the update. Update it first.",
        ),
        Mistake(
            "Nesterov without the gradient",
            [
                partial(_sgd, ahead=lambda g, new, old, momentum: momentum * new),
                partial(_sgd, ahead=lambda g, new, old, momentum: g + new),
                partial(_sgd, ahead=lambda g, new, old, momentum: new + momentum * new),
            ],
            "With Nesterov, your step is not g + μv with the new velocity v. Which part is different?",
        ),
        Mistake(
            "direction returned",
            lambda w, g, v, *settings: (
                _sgd(w, g, v, *settings)[0],
                (w - _sgd(w, g, v, *settings)[0]) / SGD_RATE,
            ),
            "With Nesterov, return the velocity itself, and not the direction g + μv of the step.",
        ),
        Mistake("uphill", partial(_sgd, rate=-SGD_RATE), "The weight goes up the slope. Subtract the step."),
        Mistake(
            "velocity not returned",
            lambda w, g, v, *settings: (_sgd(w, g, v, *settings)[0], v),
            "The velocity that you return is the old one.",
        ),
        Mistake(
            "order",
            lambda *call: _sgd(*call)[::-1],
            "Weight and velocity are exchanged: return the weight first.",
        ),
        Mistake(
            "rate",
            [partial(_sgd, rate=rate) for rate in (1.0, 0.01, 0.001)],
            "In the text η is 0.1.",
        ),
    ],
)

State = tuple[Tensor, Tensor, Tensor]  # weight, mean, square
Rule = Callable[[Tensor, Tensor, Tensor, Tensor, int], Any]


def _adam(
    weight: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    step: int,
    **wrong: Any,
) -> State:
    """Take one step of Adam (Kingma & Ba 2015, algorithm 1), right as it is; each keyword makes a mistake."""
    first, second = wrong.get("betas", (0.9, 0.999))
    mean = first * mean + (1 - first) * gradient
    square = second * square + (1 - second) * wrong.get("size", torch.square)(gradient)
    first, second = wrong.get("corrections", (first, second))
    corrected = wrong.get("corrected", (True, True))
    n = wrong.get("number", lambda step: step)(step)
    unbiased = mean / (1 - first**n) if corrected[0] else mean
    spread = square / (1 - second**n) if corrected[1] else square
    change = wrong.get("rate", 0.01) * wrong.get("change", _change)(unbiased, spread)
    return weight - change, mean, square


def _change(mean: Tensor, square: Tensor) -> Tensor:
    return mean / (square.sqrt() + 1e-8)


def _wrong(**changes: Any) -> Rule:
    return partial(_adam, **changes)


def _epsilon_first(weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, step: int) -> State:
    """Add epsilon before the correction, as the second form of the paper does."""
    _, mean, square = _adam(weight, gradient, mean, square, step)
    rate = 0.01 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return weight - rate * mean / (square.sqrt() + 1e-8), mean, square


def _corrected_averages(weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, step: int) -> State:
    weight, mean, square = _adam(weight, gradient, mean, square, step)
    return weight, mean / (1 - 0.9**step), square / (1 - 0.999**step)


def _exchanged(*before: Any) -> State:
    weight, mean, square = _adam(*before)
    return weight, square, mean


def _runs_of_adam(draw: Random) -> list[tuple[State, list[Tensor], int]]:
    """Return a state, the gradients of some steps, and the number of the first: from the start, and later on.

    Of the gradients of 6 weights two are large, two so small that epsilon shows, and two are 0.
    """
    sizes = torch.tensor([10.0, 3e-6, 0.0]).repeat_interleave(2)
    gradients = [
        sizes * normal(draw, 6).sign() * (0.7 + 0.1 * normal(draw, 6).clamp(-3, 3)) for _ in range(3)
    ]
    later = normal(draw, 2, 3), normal(draw, 2, 3), normal(draw, 2, 3) ** 2 + 0.5
    return [
        ((torch.tensor([1.0]), torch.zeros(1), torch.zeros(1)), [torch.tensor([2.0])], 1),
        ((0.1 * normal(draw, 6), torch.zeros(6), torch.zeros(6)), gradients, 1),
        (later, [normal(draw, 2, 3)], draw.randint(20, 60)),
    ]


def _train(function: Rule, state: State, gradients: list[Tensor], first: int) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}
    for step, gradient in enumerate(gradients, start=first):
        returned = function(state[0], gradient, state[1], state[2], step)
        parts = _tensors(returned, gradient.shape, ("weight", "mean", "square"))
        seen |= {f"the {name} after step {step}": part for name, part in parts.items()}
        state = tuple(returned)
    return seen


ADAM_STEP = FunctionExercise(
    "adam_step(weight, gradient, mean, square, step)",
    returns=lambda value: value,  # read by `observe`, once for each step
    reference=_adam,
    inputs=_runs_of_adam,
    observe=_train,
    shown=lambda state, gradients, step: ", ".join(
        [show(state[0]), show(gradients[0]), *map(show, state[1:]), str(step)]
    ),
    mistakes=[
        Mistake(
            "no correction",
            _wrong(corrected=(False, False)),
            "Both averages start at 0 and are too small at first: divide each by 1 - βⁿ.",
        ),
        Mistake(
            "one correction",
            [_wrong(corrected=(False, True)), _wrong(corrected=(True, False))],
            "You correct only one of the two averages. Both start at 0.",
        ),
        Mistake(
            "correction late",
            _wrong(number=lambda step: step + 1),
            "The correction is one step ahead: `step` is 1 at the first step.",
        ),
        Mistake(
            "correction early",
            _wrong(number=lambda step: step - 1),
            "At the first step your correction divides by 1 - 1. `step` counts from 1, not from 0.",
        ),
        Mistake(
            "no root",
            _wrong(change=lambda mean, square: mean / (square + 1e-8)),
            "The square root is missing: the mean is divided by the root of the mean square.",
        ),
        Mistake("uphill", _wrong(rate=-0.01), "The weight goes up the slope. Subtract the change."),
        Mistake("rate", [_wrong(rate=0.001), _wrong(rate=0.1), _wrong(rate=1.0)], "In the text η is 0.01."),
        Mistake(
            "not squared",
            [_wrong(size=torch.abs), _wrong(size=lambda gradient: gradient)],
            "The second average is one of squared gradients.",
        ),
        Mistake(
            "momentum alone",
            _wrong(change=lambda mean, square: mean),
            "That is momentum with a correction. Adam divides by the root of the second average.",
        ),
        Mistake(
            "no epsilon",
            _wrong(change=lambda mean, square: mean / square.sqrt()),
            "A weight whose gradient has always been 0 comes out as nan. What keeps Adam from 0 / 0?",
        ),
        Mistake(
            "epsilon inside",
            _wrong(change=lambda mean, square: mean / (square + 1e-8).sqrt()),
            "You add ε under the root. There it counts as much as a gradient of 10⁻⁴.",
        ),
        Mistake(
            "epsilon first",
            _epsilon_first,
            "You add ε before the second average is corrected. In the formula it is added to the corrected root.",
        ),
        Mistake(
            "betas",
            [
                _wrong(betas=(0.999, 0.9)),
                _wrong(betas=(0.1, 0.001)),
                _wrong(betas=(0.1, 0.001), corrections=(0.9, 0.999)),
            ],
            "The betas are exchanged, or they multiply the gradient instead of the average.",
        ),
        Mistake(
            "averages",
            _corrected_averages,
            "The first weight is right. Return the averages as they were before the correction.",
        ),
        Mistake("order", _exchanged, "Mean and square are exchanged: return weight, mean, square."),
    ],
)


EXERCISES = (
    RISING_RATES,
    SMOOTH_LOSSES,
    SUGGEST_RATE,
    COSINE_WITH_WARM_UP,
    RATES_OF_RUN,
    SGD_STEP,
    ADAM_STEP,
)
