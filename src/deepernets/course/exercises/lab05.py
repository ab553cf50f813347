"""Exercises of lab 5: equal terms, the spread over seeds, and the sampling error of test images."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import partial
from math import comb, erfc, isclose, nan, sqrt
from operator import eq, is_not, ne
from random import Random
from statistics import fmean, median, pstdev, stdev
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import FunctionExercise, Mistake, NumberExercise, Symptom
from deepernets.course.exercises.values import Unsuitable, kind_of, named, number, show
from deepernets.recipes.recipe import Recipe

VGG_EPOCHS = 20  # in report A
EXACT_EPOCHS = (
    VGG_EPOCHS * 313_198_080 / 1_222_318_080
)  # multiply-adds of VGG-16 and ResNet-50, 32×32, 3 classes
BY_PARAMETERS = VGG_EPOCHS * 14_724_675 / 23_506_499


def _roundings(value: float) -> list[float]:
    return [value, value // 1, value // 1 + 1]


EQUAL_COST_EPOCHS = NumberExercise(
    "equal_cost_epochs",
    expected="how many epochs",
    reference=EXACT_EPOCHS // 1,
    mistakes=[
        Mistake("not whole", EXACT_EPOCHS, "The ratio is right. Which whole number of epochs fits into it?"),
        Mistake("too many", 6, "Rounded up, the last epoch would go over the budget."),
        Mistake(
            "the report", 15, "That is what the report gave it. What did 15 epochs cost, next to VGG-16's 20?"
        ),
        Mistake("as many", VGG_EPOCHS, "An epoch of ResNet-50 does not cost as much as one of VGG-16."),
        Mistake(
            "upside down",
            _roundings(VGG_EPOCHS**2 / EXACT_EPOCHS),
            "The ratio is upside down: the network that costs more per image gets fewer epochs.",
        ),
        Mistake(
            "parameters",
            _roundings(BY_PARAMETERS) + _roundings(VGG_EPOCHS**2 / BY_PARAMETERS),
            "That compares the parameters. The cost counts how often each of them is used on one image.",
        ),
        Mistake(
            "three",
            [*_roundings(EXACT_EPOCHS / 3), EXACT_EPOCHS * 3],
            "The factor of three is the same for both networks. What becomes of it in the ratio?",
        ),
    ],
    otherwise="Set epochs × images × 3 × multiply-adds of the two networks equal, and solve for the epochs.",
)

FIELDS = {field.name: field.default for field in fields(Recipe)}


def _other(default: float) -> Any:
    return not default if isinstance(default, bool) else type(default)(default / 2) or 1


# A value that differs from the default, for every field that is compared.
OTHER_TERMS: dict[str, Any] = {
    **{name: _other(default) for name, default in FIELDS.items() if isinstance(default, int | float)},
    **{"data": "mnist", "initialisation": "glorot", "optimizer": "adam", "schedule": "cosine"},
    **{"hold_out": "last", "start_from": "quick/vgg", "label_smoothing": 0.1},
}

Terms = dict[str, Any]


def _pairs_of_terms(draw: Random) -> list[tuple[Terms, Terms]]:
    """Return what differs from the defaults in each of two recipes."""
    some = dict(draw.sample([item for item in OTHER_TERMS.items() if item[0] != "alternate"], 4))
    rate = f"0.{draw.randint(2, 9)}"
    return [
        ({}, {}),
        ({}, {"epochs": 15}),
        ({"label_smoothing": 0.1}, {}),
        ({}, {"flip": True, "pad": 4}),
        (
            {"learning_rate": float(rate)},
            {"learning_rate": float(rate), "epochs": 30},
        ),  # equal, not identical
        (some, {}),
        ({}, OTHER_TERMS),
    ]


def _names(value: Any) -> list[str]:
    """Read names in any order; a later cell goes through them twice, so an iterator will not do."""
    expected = "Expected a list of names, such as ['epochs', 'pad'], or an empty list"
    if type(value) not in (list, tuple, set, frozenset):
        raise Unsuitable(f"{expected}; got {kind_of(value)}.")
    strange = next((name for name in value if not isinstance(name, str)), None)
    if strange is not None:
        raise Unsuitable(f"{expected}; an entry is {kind_of(strange)}.")
    return sorted(map(str.__str__, value))


def _called(function: Callable[[Recipe, Recipe], Any], one: Terms, other: Terms) -> list[str]:
    vgg = Recipe("one", data="cifar3", model="vgg-16-bn-cifar").changed(**one)
    resnet = Recipe("other", data="cifar3", model="resnet-50-cifar").changed(**other)
    return _names(function(vgg, resnet))


def _terms(
    keep: Callable[[Any, Any], Any] = ne, left_out: Sequence[str] = ("name", "model")
) -> Callable[[Recipe, Recipe], list[str]]:
    def listed(one: Recipe, other: Recipe) -> list[str]:
        ours, theirs = asdict(one), asdict(other)
        return [field for field in ours if field not in left_out and keep(ours[field], theirs[field])]

    return listed


UNEQUAL_TERMS = FunctionExercise(
    "unequal_terms(one, other)",
    returns=_names,
    reference=_terms(),
    inputs=_pairs_of_terms,
    observe=_called,
    shown=lambda *pair: ", ".join(f"a recipe with {show(terms)}" if terms else "a recipe" for terms in pair),
    mistakes=[
        Mistake(
            "compared",
            [_terms(left_out=()), _terms(left_out=("name",)), _terms(left_out=("model",))],
            "Name and model are what you compare: leave both of them out.",
        ),
        Mistake(
            "equal ones", [_terms(eq), _terms(eq, ())], "Those are the fields that agree. Return the others."
        ),
        Mistake(
            "only one",
            [lambda one, other: _terms()(one, other)[:1], lambda one, other: _terms()(one, other)[-1:]],
            "You return one name where several fields differ. Where does your loop end, and what does it keep?",
        ),
        Mistake(
            "zeros",
            [
                _terms(lambda a, b: a and a != b),
                _terms(lambda a, b: b and a != b),
                _terms(lambda a, b: a and b and a != b),
            ],
            "Fields whose value is 0, False or empty in one recipe are missing. These are values like any other.",
        ),
        Mistake(
            "identity", _terms(is_not), "`is` compares objects. Two equal values may be different objects."
        ),
        Symptom(
            "no field",
            lambda given, right: any(set(names) - FIELDS.keys() for names in given),
            "Something in your list is not the name of a field. Return names, not values.",
        ),
        Symptom(
            "twice",
            lambda given, right: [sorted(set(names)) for names in given] == right,
            "The right names, but some are listed twice. Each field is listed once.",
        ),
    ],
)

Accuracies = list[float]


def _runs(draw: Random) -> list[tuple[Accuracies]]:
    """Return accuracies, in no order and skewed so that mean and median differ, and differences of accuracies."""
    lists = [[0.7 + 0.25 * draw.random() ** 2 for _ in range(runs)] for runs in (3, 6, 9)]
    differences = [draw.uniform(-0.05, 0.02) for _ in range(4)]
    return [([0.94, 0.9],), *((runs,) for runs in lists), (differences,)]


def _spread(
    sd: Callable[[Accuracies], float], mean: Callable[[Accuracies], float] = fmean
) -> Callable[[Accuracies], tuple[float, float]]:
    return lambda runs: (mean(runs), sd(runs))


def _squares(runs: Accuracies) -> float:
    return pstdev(runs) ** 2 * len(runs)


MEAN_AND_SD = FunctionExercise(
    "mean_and_sd(accuracies)",
    returns=named("the mean", "the standard deviation"),
    reference=_spread(stdev),
    inputs=_runs,
    mistakes=[
        Mistake(
            "swapped", lambda runs: (stdev(runs), fmean(runs)), "Both are right, but the mean comes first."
        ),
        Mistake(
            "percent",
            [
                lambda runs: (100 * fmean(runs), 100 * stdev(runs)),
                lambda runs: (100 * fmean(runs), stdev(runs)),
                lambda runs: (fmean(runs), 100 * stdev(runs)),
            ],
            "The accuracies are shares between 0 and 1. Return shares as well, not per cent.",
        ),
        Mistake(
            "median",
            [_spread(stdev, median), _spread(pstdev, median)],
            "The first number is the median. The exercise asks for the mean.",
        ),
        Mistake(
            "population",
            _spread(pstdev),
            "You divide by n, as if the runs' own mean were the true one. Which divisor makes up for that?",
        ),
        Mistake(
            "variance",
            _spread(lambda runs: stdev(runs) ** 2),
            "That is the variance, in squared shares. What brings it back to shares?",
        ),
        Mistake(
            "population variance",
            _spread(lambda runs: pstdev(runs) ** 2),
            "That is a variance, and divided by n. Two things are left to do.",
        ),
        Mistake(
            "standard error",
            [
                _spread(lambda runs: stdev(runs) / sqrt(len(runs))),
                _spread(lambda runs: pstdev(runs) / sqrt(len(runs))),
            ],
            "That is the standard error of the mean. The exercise asks how far single runs are from it.",
        ),
        Mistake(
            "range", _spread(lambda runs: max(runs) - min(runs)), "That is the range. More runs make it grow."
        ),
        Mistake(
            "not squared",
            [
                _spread(lambda runs: sum(abs(a - fmean(runs)) for a in runs) / len(runs)),
                _spread(lambda runs: sum(abs(a - fmean(runs)) for a in runs) / (len(runs) - 1)),
            ],
            "You average the distances from the mean. The formula averages their squares and takes the root.",
        ),
        Mistake(
            "not from the mean",
            [
                _spread(lambda runs: sqrt(sum(a**2 for a in runs) / (len(runs) - 1))),
                _spread(lambda runs: sqrt(sum(a**2 for a in runs) / len(runs))),
            ],
            "You square the accuracies themselves. Subtract the mean first.",
        ),
        Mistake(
            "root too early",
            [
                _spread(lambda runs: sqrt(_squares(runs)) / (len(runs) - 1)),
                _spread(lambda runs: sqrt(_squares(runs)) / len(runs)),
            ],
            "The root of the sum is divided by n or n - 1. The division belongs under the root.",
        ),
    ],
)

Z = 1.96  # half width of 95 %, in standard deviations
Interval = Callable[[int, int], tuple[float, float]]


def _counts(draw: Random) -> list[tuple[int, int]]:
    """Return right answers and images: few, all, none, a small test set, and a larger one."""
    small, large = draw.randint(40, 90), draw.randint(400, 3000)
    return [
        (8, 10),
        (10, 10),
        (0, 10),
        (draw.randint(5, small - 5), small),
        (large - draw.randint(30, 90), large),
    ]


def _interval(ends: Callable[..., tuple[float, float]], z: float = Z) -> Interval:
    """Return an interval from p, n, and Wilson's middle, half width and divisor, before the division."""

    def interval(right: int, images: int) -> tuple[float, float]:
        p, n = right / images, images
        half = z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        return ends(p, n, p + z**2 / (2 * n), half, 1 + z**2 / n)

    return interval


def _wilson(p: float, n: int, middle: float, half: float, divisor: float) -> tuple[float, float]:
    return (middle - half) / divisor, (middle + half) / divisor


def _normal(z: float) -> Interval:
    return _interval(lambda p, n, *_: _around(p, z * sqrt(p * (1 - p) / n)))


def _around(middle: float, half: float) -> tuple[float, float]:
    return middle - half, middle + half


def _agree(what: Callable[[Sequence[float]], float], given: list[Any], right: list[Any]) -> bool:
    return all(
        isclose(what([*a.values()]), what([*b.values()]), abs_tol=1e-4)
        for a, b in zip(given, right, strict=True)
    )


def _exact(right: int, images: int) -> tuple[float, float]:
    from scipy.stats import binomtest  # slow to import, and rarely needed

    low, high = binomtest(right, images).proportion_ci()
    return float(low), float(high)


BINOMIAL_INTERVAL = FunctionExercise(
    "binomial_interval(right, images)",
    returns=named("the lower end", "the upper end"),
    reference=_interval(_wilson),
    inputs=_counts,
    mistakes=[
        Mistake("order", _interval(lambda *parts: _wilson(*parts)[::-1]), "The lower end comes first."),
        Mistake(
            "percent",
            _interval(lambda p, n, m, h, d: _around(100 * m / d, 100 * h / d)),
            "The ends are shares between 0 and 1 here, not per cent.",
        ),
        Mistake(
            "images",
            _interval(lambda p, n, m, h, d: _around(n * m / d, n * h / d)),
            "Those are numbers of images. Divide by all images to get shares.",
        ),
        Mistake(
            "middle and half width",
            _interval(lambda p, n, m, h, d: (m / d, h / d)),
            "Those are the middle and the half width. Subtract and add to get the two ends.",
        ),
        Mistake(
            "exact", _exact, "That is the exact (Clopper–Pearson) interval. The exercise asks for Wilson's."
        ),
        Mistake(
            "one sigma",
            [
                _interval(_wilson, z=1.0),
                _interval(lambda p, n, m, h, d: _around(m / d, h / Z / d)),
                _normal(1.0),
            ],
            "That covers the truth 68 times in 100: z is the half width of 95 %.",
        ),
        Mistake("ninety", _interval(_wilson, z=1.645), "That z leaves out 5 % on each side: it covers 90 %."),
        Mistake("two", _interval(_wilson, z=2.0), "You rounded z to 2. Take the 1.96 of the text."),
        Mistake(
            "no division",
            _interval(lambda p, n, m, h, d: _around(m, h)),
            "One thing is left: the whole fraction is divided by 1 + z²/n.",
        ),
        Mistake(
            "centre",
            [
                _interval(lambda p, n, m, h, d: _around(p, h / d)),
                _interval(lambda p, n, m, h, d: _around(p, h)),
            ],
            "The middle is not the counted share: something is added to it first.",
        ),
        Mistake(
            "no images", _interval(lambda p, n, *_: _around(p, Z * sqrt(p * (1 - p)))), "Where does n enter?"
        ),
        Mistake(
            "no root",
            _interval(lambda p, n, *_: _around(p, Z * p * (1 - p) / n)),
            "That is z variances, not z standard deviations. A root is missing.",
        ),
        Symptom(
            "half width",
            partial(_agree, sum),
            "The middle of your interval is right, its half width is not. Compare it term by term.",
        ),
        Symptom(
            "middle",
            partial(_agree, lambda ends: ends[1] - ends[0]),
            "The width of your interval is right, its middle is not. Compare it term by term.",
        ),
        Symptom(
            "normal",
            lambda given, right: not given[1]["the lower end"] < 0.999,  # of 10 in 10
            "Where all images are right, your interval has no width, like the normal one. Wilson's has more terms.",
        ),
    ],
)

Counts = tuple[
    int, int, int, int
]  # images that both get right, only the one, only the other, none of the two


def _two_networks(draw: Random) -> list[tuple[Tensor, Tensor]]:
    """Return which images two networks get right: one better, the other better, level, and the same on all."""
    few, more, both, none = draw.randint(4, 6), draw.randint(5, 7), draw.randint(60, 90), draw.randint(9, 13)
    counts = [
        (2, 3, 0, 1),
        (both, few, few + more, none),
        (both, few + more, few, none),
        (both, few, few, none),
    ]
    return [_rightness(draw, case) for case in (*counts, (both, 0, 0, none), (both * 9, 40, 62, none))]


def _rightness(draw: Random, counts: Counts) -> tuple[Tensor, Tensor]:
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    images = draw.sample(kinds, sum(counts), counts=counts)
    one, other = zip(*images, strict=True)
    return torch.tensor(one), torch.tensor(other)


def _only(one: Tensor, other: Tensor) -> tuple[int, int]:
    return int((one & ~other).sum()), int((other & ~one).sum())


PValue = Callable[[int, int, int, int], float]  # of the counts


def _test(p_value: PValue, level: float | type[Exception] = 1.0) -> Callable[[Tensor, Tensor], float]:
    """Return a test from its p-value; `level` is what it gives where no image tells the two networks apart."""

    def test(one: Tensor, other: Tensor) -> float:
        b, c = _only(one, other)
        if b + c == 0:
            if isinstance(level, float):
                return level
            raise level
        return p_value(int((one & other).sum()), b, c, int((~one & ~other).sum()))

    return test


def _tests(*p_values: PValue) -> list[Callable[[Tensor, Tensor], float]]:
    """Return tests from their p-values, each with all that a student's may give where nothing differs."""
    return [
        _test(p_value, level)
        for p_value in p_values
        for level in (1.0, 0.0, 0.5, 2.0, nan, ZeroDivisionError, ValueError)
    ]


def _tail(heads: int, tosses: int) -> float:
    """Return the chance of at most so many heads in so many tosses of a fair coin."""
    return sum(comb(tosses, count) for count in range(heads + 1)) / 2**tosses


def _exactly(heads: int, tosses: int) -> float:
    return comb(tosses, heads) / 2**tosses


def _two_sided(a: int, b: int, c: int, d: int) -> float:
    return min(1.0, 2 * _tail(min(b, c), b + c))


def _fisher(a: int, b: int, c: int, d: int) -> float:
    """Return Fisher's p-value for the hits of two networks, taken as results on different images."""
    images, hits, all_hits = a + b + c + d, a + b, 2 * a + b + c
    ways = [comb(images, first) * comb(images, all_hits - first) for first in range(all_hits + 1)]
    return sum(way for way in ways if way <= ways[hits]) / sum(ways)


def _chi_squared(difference: float, squared_scale: float) -> float:
    """Return the p-value of a squared difference on one degree of freedom."""
    return erfc(sqrt(difference**2 / squared_scale / 2))


def _shares(off: float, a: int, b: int, c: int, d: int) -> float:
    """Return the p-value of two shares on different images, from a normal distribution; `off` is the correction."""
    images, hits = a + b + c + d, 2 * a + b + c
    return _chi_squared(max(abs(b - c) - off, 0), hits * (2 * images - hits) / (2 * images))


MCNEMAR = FunctionExercise(
    "mcnemar(one_right, other_right)",
    returns=number("the p-value"),
    reference=_test(_two_sided),
    inputs=_two_networks,
    shown=lambda one, other: "images that only one gets right: {} and {}".format(*_only(one, other)),
    keeps_inputs=True,
    mistakes=[
        Mistake(
            "nothing between them",
            _tests(_two_sided),
            "What if no image tells the two apart? Then nothing speaks against equal networks.",
        ),
        Mistake(
            "above one",
            _tests(lambda a, b, c, d: 2 * _tail(min(b, c), b + c)),
            "No probability is above 1. Where the two come out level, the two sides overlap.",
        ),
        Mistake(
            "counts",
            _tests(
                lambda a, b, c, d: b,
                lambda a, b, c, d: c,
                lambda a, b, c, d: b + c,
                lambda a, b, c, d: b - c,
                lambda a, b, c, d: abs(b - c),
                lambda a, b, c, d: min(b, c),
            ),
            "That is a count of images. How surprising is it, if a fair coin is tossed for each of them?",
        ),
        Mistake(
            "complement",
            _tests(lambda *counts: 1 - _two_sided(*counts)),
            "That is 1 - p: p is small where the difference is hard to put down to chance.",
        ),
        Mistake(
            "one-sided",
            _tests(
                lambda a, b, c, d: _tail(min(b, c), b + c),
                lambda a, b, c, d: _tail(max(b, c), b + c),
                lambda a, b, c, d: _tail(b, b + c),
                lambda a, b, c, d: _tail(c, b + c),
            ),
            "That is one side only. You did not know which network would be better: count both sides.",
        ),
        Mistake(
            "one count",
            _tests(
                lambda a, b, c, d: _exactly(b, b + c),
                lambda a, b, c, d: 2 * _exactly(b, b + c),
                lambda a, b, c, d: min(1.0, 2 * _exactly(b, b + c)),
            ),
            "That is the chance of exactly this count. Add those of all counts that are further out.",
        ),
        Mistake(
            "all images",
            _tests(
                lambda a, b, c, d: _tail(min(b, c), a + b + c + d),
                lambda a, b, c, d: min(1.0, 2 * _tail(min(b, c), a + b + c + d)),
                lambda a, b, c, d: min(1.0, 2 * _tail(b, a + b + c + d)),
                lambda a, b, c, d: min(1.0, 2 * _tail(c, a + b + c + d)),
            ),
            "You toss a coin for every image. Images that both get right, or both wrong, tell nothing apart.",
        ),
        Mistake(
            "unpaired",
            _tests(_fisher, *(partial(_shares, off) for off in (0, 0.5, 1))),
            "That test takes the two for results on different images. Here the images are the same.",
        ),
        Mistake(
            "approximate",
            _tests(
                lambda a, b, c, d: _chi_squared(b - c, b + c),
                lambda a, b, c, d: _chi_squared(abs(b - c) - 0.5, b + c),
                lambda a, b, c, d: _chi_squared(abs(b - c) - 1, b + c),
                lambda a, b, c, d: _chi_squared(max(abs(b - c) - 1, 0), b + c),
            ),
            "That is the chi-squared approximation. With few images take the binomial distribution.",
        ),
    ],
)

EXERCISES = (EQUAL_COST_EPOCHS, UNEQUAL_TERMS, MEAN_AND_SD, BINOMIAL_INTERVAL, MCNEMAR)
