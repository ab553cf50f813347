"""Exercises of lab 5: equal terms, the spread over seeds, and the sampling error of test images."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import cache, partial
from itertools import islice
from math import comb, erfc, isclose, nan, sqrt
from operator import eq, is_not, ne
from random import Random
from statistics import fmean, median, pstdev, stdev
from typing import Any

import torch
from torch import Tensor

from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom
from deepernets.course.exercises.values import Unsuitable, attempt, kind_of, named, number, show
from deepernets.models.counting import count_multiply_adds, count_parameters
from deepernets.models.registry import build_model
from deepernets.papers.datasets import DATASETS
from deepernets.recipes import get_recipe
from deepernets.recipes.recipe import Recipe

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


@cache
def _size(model: str, data: str, image_size: int) -> tuple[int, int]:
    """Return the multiply-adds for one image, and the parameters."""
    info = DATASETS[data]
    shape = (info.in_shape[0], image_size, image_size)
    with torch.device("meta"):
        network = build_model(model, in_shape=shape, classes=len(info.classes))
    return count_multiply_adds(network, shape), count_parameters(network)


def multiply_adds(recipe: Recipe) -> int:
    """Return the multiply-adds of a recipe's network for one image of its data.

    >>> multiply_adds(get_recipe("report-a/resnet-50/as-reported"))
    1222318080
    """
    return _size(recipe.model, recipe.data, recipe.image_size)[0]


def _parameters(recipe: Recipe) -> int:
    return _size(recipe.model, recipe.data, recipe.image_size)[1]


BUDGETS = ("epochs", "cost")
# The first pairs are those of the lab. In the third, the equal cost is less than one epoch of the other network.
SMALL_PAIR = ("quick/vgg", "quick/resnet")
REPORT_PAIR = ("report-a/vgg-16/as-reported", "report-a/resnet-50/as-reported")
TINY_PAIR = ("race/adam", "report-a/resnet-50/as-reported")
SIZES_PAIR = ("report-c/vgg-16-mnist/ours", "report-b/resnet-20-mnist/ours")  # images of 28 and of 32 pixels
MORE_PAIRS = (
    ("report-a/vgg-16/ours", "race/cosine"),
    ("report-a/vgg-16/as-reported", "race/adamw"),
    ("report-a/vgg-16/ours", "report-a/resnet-50/as-reported"),
    ("report-a/resnet-50/ours", "report-a/vgg-16/as-reported"),
    ("race/batch-32", "report-a/vgg-16/ours"),
)

FairPair = Callable[..., Any]
Epochs = Callable[[Recipe, Recipe], float]  # of the other network, from both recipes


def _equal_cost(one: Recipe, other: Recipe) -> int:
    return one.epochs * multiply_adds(one) // multiply_adds(other)


def _pair(
    epochs: Epochs = _equal_cost,
    by_epochs: Epochs = lambda one, other: one.epochs,
    least: int = 1,
    own_images: bool = False,
    join: Callable[[Recipe, Recipe, Any], Any] = lambda one, other, epochs: (
        one,
        one.changed(name=other.name, model=other.model, epochs=epochs),
    ),
) -> FairPair:
    """Return a `fair_pair`.

    Args:
        epochs: Of the other network under a budget by cost.
        by_epochs: Of the other network under a budget by epochs.
        least: The smallest number of epochs under a budget by cost.
        own_images: Let the other network work on the images of its recipe as it is written.
        join: Takes both recipes as they are written and the epochs of the other network, and returns the pair.
    """

    def fair_pair(name_one: str, name_other: str, budget: str, own_images: bool = own_images) -> Any:
        one, written = get_recipe(name_one), get_recipe(name_other)
        other = written if own_images else written.changed(data=one.data, image_size=one.image_size)
        found = by_epochs(one, other) if budget == "epochs" else max(least, epochs(one, other))
        return join(one, written, found)

    return fair_pair


def _two_recipes(value: Any) -> dict[str, dict[str, Any]]:
    expected = "Expected two recipes: the first as it is written, and the second made equal to it"
    parts = attempt(lambda: list(islice(value, 3)))
    if not isinstance(parts, list) or isinstance(value, dict):
        raise Unsuitable(f"{expected}; got {kind_of(value)}.")
    strange = next((part for part in parts if type(part) is not Recipe), None)
    if strange is not None:
        raise Unsuitable(f"{expected}; one of yours is {kind_of(strange)}.")
    if len(parts) != 2:
        raise Unsuitable(f"{expected}; got {len(parts)} of them.")
    return {name: asdict(part) for name, part in zip(("the first", "the second"), parts, strict=True)}


def _field_of_second(field: str, given: list[Any]) -> list[Any]:
    return [outcome["the second"][field] for outcome in given]


def _wrong_pair(key: str, produces: FairPair | list[FairPair], hint: str) -> Mistake:
    """Return a mistake, alone or together with that of the other network on its own images."""
    pairs = produces if isinstance(produces, list) else [produces]
    return Mistake(key, [*pairs, *(partial(pair, own_images=True) for pair in pairs)], hint)


FAIR_PAIR = FunctionExercise(
    "fair_pair(name_one, name_other, budget)",
    returns=_two_recipes,
    reference=_pair(),
    inputs=lambda draw: [
        *((*pair, budget) for budget in BUDGETS for pair in (SMALL_PAIR, REPORT_PAIR)),
        (*TINY_PAIR, "cost"),
        (*SIZES_PAIR, "cost"),
        (SMALL_PAIR[0], SMALL_PAIR[0], "cost"),  # exactly the same cost is allowed
        *((*pair, budget) for pair in draw.sample(MORE_PAIRS, 2) for budget in BUDGETS),
    ],
    mistakes=[
        _wrong_pair(
            "as written",
            [_pair(join=lambda one, other, epochs: (one, other))],
            "You return both recipes as they are written. The second has to take over the first one's settings.",
        ),
        _wrong_pair(
            "epochs alone",
            _pair(join=lambda one, other, epochs: (one, other.changed(epochs=epochs))),
            "Only the epochs are made equal. `unequal_terms` says in which other fields the two recipes differ.",
        ),
        _wrong_pair(
            "budget ignored",
            [_pair(_equal_cost, _equal_cost), _pair(lambda one, other: one.epochs)],
            "You give the same number of epochs under both budgets, by epochs or by cost. What does `budget` say?",
        ),
        _wrong_pair(
            "budgets exchanged",
            _pair(lambda one, other: one.epochs, lambda one, other: max(1, _equal_cost(one, other))),
            "The two budgets are exchanged.",
        ),
        _wrong_pair(
            "upside down",
            _pair(lambda one, other: one.epochs * multiply_adds(other) // multiply_adds(one)),
            "The ratio is upside down: the network that costs more per image gets fewer epochs.",
        ),
        _wrong_pair(
            "parameters",
            _pair(lambda one, other: one.epochs * _parameters(one) // _parameters(other)),
            "That compares the parameters. The cost counts how often each of them is used on one image.",
        ),
        _wrong_pair(
            "over the budget",
            [
                _pair(lambda one, other: -(-one.epochs * multiply_adds(one) // multiply_adds(other))),
                _pair(lambda one, other: round(one.epochs * multiply_adds(one) / multiply_adds(other))),
                _pair(lambda one, other: _equal_cost(one, other) + 1),
            ],
            "Under the budget by cost, some of your second networks cost more than the first one. Which way do "
            "you round?",
        ),
        _wrong_pair(
            "not whole",
            _pair(lambda one, other: one.epochs * multiply_adds(one) / multiply_adds(other)),
            "The ratio is right, but a recipe has whole epochs.",
        ),
        _wrong_pair(
            "three",
            [
                _pair(lambda one, other: one.epochs * multiply_adds(one) // (3 * multiply_adds(other))),
                _pair(lambda one, other: 3 * one.epochs * multiply_adds(one) // multiply_adds(other)),
            ],
            "The factor of three is the same for both networks. What becomes of it in the ratio?",
        ),
        _wrong_pair(
            "own images",
            _pair(own_images=True),
            "You count the second network's work on the images of its own recipe. Both train on the same images, "
            "those of the first.",
        ),
        _wrong_pair(
            "no epoch",
            _pair(least=0),
            "Where one epoch of the second network costs more than the whole budget, it gets 1 epoch, not 0.",
        ),
        _wrong_pair(
            "the other's epochs",
            [
                _pair(
                    lambda one, other: other.epochs * multiply_adds(one) // multiply_adds(other),
                    lambda one, other: other.epochs,
                ),
                _pair(lambda one, other: other.epochs * multiply_adds(one) // multiply_adds(other)),
                _pair(by_epochs=lambda one, other: other.epochs),
            ],
            "You start from the epochs of the second recipe. The first recipe sets the budget.",
        ),
        _wrong_pair(
            "settings of the second",
            [
                _pair(join=lambda one, other, epochs: (other.changed(name=one.name, model=one.model), other)),
                _pair(
                    join=lambda one, other, epochs: (
                        other.changed(name=one.name, model=one.model, epochs=one.epochs),
                        other.changed(epochs=epochs),
                    )
                ),
            ],
            "You give the first network the settings of the second recipe. It is the other way round.",
        ),
        _wrong_pair(
            "order",
            _pair(
                join=lambda one, other, epochs: (
                    one.changed(name=other.name, model=other.model, epochs=epochs),
                    one,
                )
            ),
            "The two recipes are exchanged: the first one comes first.",
        ),
        Symptom(
            "same network",
            lambda given, right: _field_of_second("model", given) != _field_of_second("model", right),
            "Your second recipe does not train the network of `name_other`.",
        ),
        Symptom(
            "name",
            lambda given, right: _field_of_second("name", given) != _field_of_second("name", right),
            "Your second recipe is not called `name_other`. The runs would be mixed up.",
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
    low, high = ((middle + sign * half) / divisor for sign in (-1, 1))
    return round(low, 12) + 0.0, round(high, 12)  # exactly 0 for no right answers


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
            "wrong answers",
            lambda right, images: _interval(_wilson)(images - right, images),
            "That is the interval of the share of wrong answers.",
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
            lambda given, right: (
                abs(given[1]["the upper end"] - given[1]["the lower end"]) < 0.001
            ),  # of 10 in 10
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
    shown=lambda one, other: (
        "images that only one gets right: {} and {}, that both get right: {}, and none: {}".format(
            *_only(one, other), int((one & other).sum()), int((~one & ~other).sum())
        )
    ),
    keeps_inputs=True,
    tries=1,
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
            "You toss a coin for images that both get right, or both get wrong. They tell nothing apart.",
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

EXERCISES = (UNEQUAL_TERMS, FAIR_PAIR, MEAN_AND_SD, BINOMIAL_INTERVAL, MCNEMAR)
