"""The answers that students of lab 5 really give: the right ones pass, each wrong one gets its own hint."""

import math
import statistics
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from importlib import import_module
from math import comb, sqrt
from typing import Any

import numpy as np
import torch

import deepernets
from deepernets.course.exercises.lab05 import multiply_adds

stats: Any = import_module("scipy.stats")  # which has no types


def terms_as_in_the_solution(one: Any, other: Any) -> Any:
    ours, theirs = asdict(one), asdict(other)
    return [field for field in ours if field not in ("name", "model") and ours[field] != theirs[field]]


def terms_by_attribute(one: Any, other: Any) -> Any:
    differing = {
        field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name)
    }
    return differing - {"name", "model"}


def terms_as_arrays(one: Any, other: Any) -> Any:
    return list(np.array(terms_as_in_the_solution(one, other), dtype=str))


def terms_with(*more: str) -> Callable[[Any, Any], Any]:
    return lambda one, other: [*more, *terms_as_in_the_solution(one, other)]


def terms_ending_at_the_first(one: Any, other: Any) -> Any:
    for field in vars(one):
        if field not in ("name", "model") and getattr(one, field) != getattr(other, field):
            return [field]
    return []


def terms_without_zeros(one: Any, other: Any) -> Any:
    ours = vars(one)
    return [field for field in terms_as_in_the_solution(one, other) if ours[field]]


def terms_that_agree(one: Any, other: Any) -> Any:
    ours, theirs = vars(one), vars(other)
    return [field for field in ours if ours[field] == theirs[field]]


def terms_by_value(one: Any, other: Any) -> Any:
    return [str(getattr(other, field)) for field in terms_as_in_the_solution(one, other)] or ["none"]


def pair(
    second: Callable[[Any, Any, str], Any],
    show: Callable[[Any, Any], Any] = lambda one, two: (one, two),
) -> Callable[[str, str, str], Any]:
    """Return a `fair_pair` from what makes the second recipe."""

    def fair_pair(name_one: str, name_other: str, budget: str) -> Any:
        one, other = deepernets.get_recipe(name_one), deepernets.get_recipe(name_other)
        return show(one, second(one, other, budget))

    return fair_pair


def at_equal_cost(one: Any, other: Any, least: int = 1) -> int:
    second = replace(one, model=other.model)
    return max(least, one.epochs * multiply_adds(one) // multiply_adds(second))


def second_by_replacing(one: Any, other: Any, budget: str) -> Any:
    epochs = one.epochs if budget == "epochs" else at_equal_cost(one, other)
    return replace(one, name=other.name, model=other.model, epochs=epochs)


def second_by_terms(one: Any, other: Any, budget: str) -> Any:
    """Go through the unequal terms, and search the epochs one by one."""
    equal = {field: getattr(one, field) for field in terms_as_in_the_solution(one, other)}
    epochs = one.epochs
    if budget == "cost":
        epochs = 1
        of_other = multiply_adds(other.changed(**equal))
        while (epochs + 1) * of_other <= one.epochs * multiply_adds(one):
            epochs += 1
    return other.changed(**{**equal, "epochs": epochs})


def second_with(epochs: Callable[[Any, Any, str], Any]) -> Callable[[str, str, str], Any]:
    return pair(lambda a, b, budget: replace(a, name=b.name, model=b.model, epochs=epochs(a, b, budget)))


def second_by_cost(epochs: Callable[[Any, Any], Any]) -> Callable[[str, str, str], Any]:
    return second_with(lambda a, b, budget: a.epochs if budget == "epochs" else max(1, epochs(a, b)))


def spread_by_hand(accuracies: Any) -> Any:
    mean = sum(accuracies) / len(accuracies)
    squares = sum((accuracy - mean) ** 2 for accuracy in accuracies)
    return mean, (squares / (len(accuracies) - 1)) ** 0.5


def spread(sd: Callable[[Any], Any], mean: Callable[[Any], Any] = np.mean) -> Callable[[Any], Any]:
    return lambda accuracies: (mean(accuracies), sd(np.array(accuracies)))


def interval(
    z: float = 1.96,
    division: bool = True,
    result: Callable[[float, float, int], Any] = lambda middle, half, n: (middle - half, middle + half),
) -> Callable[[int, int], Any]:
    """Return a `binomial_interval`, with a mistake built in where an argument is given."""

    def binomial_interval(right: int, images: int) -> Any:
        share = right / images
        middle = share + z * z / (2 * images)
        half = z * sqrt(share * (1 - share) / images + z * z / (4 * images**2))
        divisor = 1 + z * z / images if division else 1
        return result(middle / divisor, half / divisor, images)

    return binomial_interval


def interval_by_scipy(right: int, images: int) -> Any:
    return stats.binomtest(right, images).proportion_ci(0.95, method="wilson")


def interval_by_search(right: int, images: int) -> Any:
    """Try every share: is the counted one within 1.96 standard deviations of it?"""
    shares = np.linspace(0, 1, 1_000_001)
    inside = np.abs(right / images - shares) <= 1.96 * np.sqrt(shares * (1 - shares) / images)
    return shares[inside].min(), shares[inside].max()


def plain_interval(spread: Callable[[float, int], float]) -> Callable[[int, int], Any]:
    def binomial_interval(right: int, images: int) -> Any:
        share = right / images
        return share - spread(share, images), share + spread(share, images)

    return binomial_interval


def _apart(one: Any, other: Any) -> tuple[int, int]:
    return int((one & ~other).sum()), int((other & ~one).sum())


def mcnemar_as_in_the_solution(one: Any, other: Any) -> Any:
    b, c = _apart(one, other)
    return stats.binomtest(b, b + c).pvalue if b + c else 1.0


def mcnemar_by_hand(one: Any, other: Any) -> Any:
    pairs = list(zip(one.tolist(), other.tolist(), strict=True))
    b, c = pairs.count((True, False)), pairs.count((False, True))
    return min(1.0, 2 * sum(comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c))


def mcnemar_in_place(one: Any, other: Any) -> Any:
    only_one = int((one & other.logical_not_()).sum())
    only_other = int((~one & ~other).sum())
    return stats.binomtest(only_one, only_one + only_other).pvalue if only_one + only_other else 1.0


def mcnemar_uncapped(one: Any, other: Any) -> Any:
    b, c = _apart(one, other)
    return 2 * stats.binom.cdf(min(b, c), b + c, 0.5)


def mcnemar_from_counts(p_value: Callable[[int, int, int], Any]) -> Callable[[Any, Any], Any]:
    """Return a test of: only the one right, only the other right, all images."""
    return lambda one, other: p_value(*_apart(one, other), len(one))


def mcnemar_unpaired(one: Any, other: Any) -> Any:
    hits, n = [int(one.sum()), int(other.sum())], len(one)
    return stats.fisher_exact([[hits[0], n - hits[0]], [hits[1], n - hits[1]]]).pvalue


def mcnemar_of_shares(one: Any, other: Any) -> Any:
    """Two shares on different images: z, with the pooled share."""
    n, p, q = len(one), one.double().mean().item(), other.double().mean().item()
    pooled = (p + q) / 2
    return 2 * stats.norm.sf(abs(p - q) / sqrt(2 * pooled * (1 - pooled) / n))


RIGHT: list[tuple[str, Any]] = [
    ("unequal_terms", terms_as_in_the_solution),
    ("unequal_terms", terms_by_attribute),
    ("unequal_terms", terms_as_arrays),
    (
        "unequal_terms",
        lambda one, other: (
            {name for name, _ in asdict(one).items() - asdict(other).items()} - {"name", "model"}
        ),
    ),
    ("fair_pair", pair(second_by_replacing)),
    ("fair_pair", pair(second_by_terms, lambda one, two: [one, two])),
    ("mean_and_sd", spread_by_hand),
    ("mean_and_sd", lambda values: torch.stack([torch.tensor(values).mean(), torch.tensor(values).std()])),
    ("mean_and_sd", spread(lambda values: values.std(ddof=1))),
    ("mean_and_sd", lambda values: torch.std_mean(torch.tensor(values))[::-1]),
    ("mean_and_sd", spread(statistics.stdev, statistics.mean)),
    ("binomial_interval", interval()),
    ("binomial_interval", interval(z=stats.norm.ppf(0.975))),
    ("binomial_interval", interval_by_scipy),
    ("binomial_interval", interval_by_search),
    ("mcnemar", mcnemar_as_in_the_solution),
    ("mcnemar", mcnemar_by_hand),
]
WRONG: list[tuple[str, str, Any]] = [
    ("unequal_terms", "kind", ["epochs"]),
    ("unequal_terms", "kind", lambda one, other: one != other),
    ("unequal_terms", "kind", lambda one, other: len(terms_as_in_the_solution(one, other))),
    ("unequal_terms", "kind", lambda one, other: ", ".join(terms_as_in_the_solution(one, other))),
    ("unequal_terms", "no field", terms_by_value),
    ("unequal_terms", "compared", terms_with("name", "model")),
    ("unequal_terms", "compared", terms_with("model")),
    ("unequal_terms", "equal ones", terms_that_agree),
    ("unequal_terms", "only one", terms_ending_at_the_first),
    ("unequal_terms", "zeros", terms_without_zeros),
    ("unequal_terms", "counter-example", terms_with("data")),
    ("unequal_terms", "kind", lambda one, other: iter(terms_as_in_the_solution(one, other))),
    ("unequal_terms", "kind", lambda one, other: np.array(terms_as_in_the_solution(one, other))),
    ("unequal_terms", "twice", lambda one, other: 2 * terms_as_in_the_solution(one, other)),
    (
        "unequal_terms",
        "identity",
        lambda one, other: [
            name
            for name in vars(one)
            if name not in ("name", "model") and vars(one)[name] is not vars(other)[name]
        ],
    ),
    (
        "unequal_terms",
        "counter-example",  # right as long as name and model are the first two that differ
        lambda one, other: [name for name in vars(one) if vars(one)[name] != vars(other)[name]][2:],
    ),
    ("fair_pair", "kind", ("quick/vgg", "quick/resnet")),
    ("fair_pair", "exception", second_by_replacing),
    ("fair_pair", "kind", pair(second_by_replacing, lambda one, two: two)),
    ("fair_pair", "kind", pair(second_by_replacing, lambda one, two: (one.name, two.name))),
    ("fair_pair", "kind", pair(second_by_replacing, lambda one, two: (one, two, two.epochs))),
    ("fair_pair", "kind", pair(second_by_replacing, lambda one, two: {one.name: one, two.name: two})),
    (
        "fair_pair",
        "own images",
        second_by_cost(lambda a, b: a.epochs * multiply_adds(a) // multiply_adds(b)),
    ),
    ("fair_pair", "as written", pair(lambda one, other, budget: other)),
    (
        "fair_pair",
        "epochs alone",
        pair(lambda a, b, budget: b.changed(epochs=second_by_replacing(a, b, budget).epochs)),
    ),
    ("fair_pair", "budget ignored", second_with(lambda a, b, budget: a.epochs)),
    ("fair_pair", "budget ignored", second_with(lambda a, b, budget: at_equal_cost(a, b))),
    (
        "fair_pair",
        "budgets exchanged",
        second_with(lambda a, b, budget: a.epochs if budget == "cost" else at_equal_cost(a, b)),
    ),
    (
        "fair_pair",
        "upside down",
        second_by_cost(lambda a, b: a.epochs * multiply_adds(b) // multiply_adds(a)),
    ),
    (
        "fair_pair",
        "over the budget",
        second_by_cost(lambda a, b: math.ceil(a.epochs * multiply_adds(a) / multiply_adds(b))),
    ),
    (
        "fair_pair",
        "over the budget",
        second_by_cost(lambda a, b: round(a.epochs * multiply_adds(a) / multiply_adds(b))),
    ),
    ("fair_pair", "not whole", second_by_cost(lambda a, b: a.epochs * multiply_adds(a) / multiply_adds(b))),
    ("fair_pair", "three", second_by_cost(lambda a, b: a.epochs * 3 * multiply_adds(a) // multiply_adds(b))),
    (
        "fair_pair",
        "no epoch",
        second_with(lambda a, b, budget: a.epochs if budget == "epochs" else at_equal_cost(a, b, 0)),
    ),
    (
        "fair_pair",
        "the other's epochs",
        second_with(lambda a, b, budget: b.epochs if budget == "epochs" else at_equal_cost(a, b)),
    ),
    (
        "fair_pair",
        "settings of the second",
        pair(
            lambda one, other, budget: other.changed(epochs=second_by_replacing(one, other, budget).epochs),
            lambda one, two: (two.changed(name=one.name, model=one.model, epochs=one.epochs), two),
        ),
    ),
    ("fair_pair", "order", pair(second_by_replacing, lambda one, two: (two, one))),
    (
        "fair_pair",
        "same network",
        pair(lambda one, other, budget: second_by_replacing(one, other, budget).changed(model=one.model)),
    ),
    (
        "fair_pair",
        "name",
        pair(lambda one, other, budget: second_by_replacing(one, other, budget).changed(name=one.name)),
    ),
    (
        "fair_pair",
        "counter-example",
        pair(lambda one, other, budget: second_by_replacing(one, other, budget).changed(learning_rate=0.1)),
    ),
    ("mean_and_sd", "kind", (0.9, 0.01)),
    ("mean_and_sd", "kind", lambda values: {"mean": np.mean(values), "sd": np.std(values, ddof=1)}),
    ("mean_and_sd", "counter-example", spread(lambda values: round(values.std(ddof=1), 2))),
    ("mean_and_sd", "counter-example", lambda values: (sum(values) / 3, np.std(values, ddof=1))),
    ("mean_and_sd", "exception", lambda values: (values.mean(), values.std())),
    ("mean_and_sd", "kind", np.mean),
    ("mean_and_sd", "kind", lambda values: (values, values)),
    ("mean_and_sd", "swapped", lambda values: spread_by_hand(values)[::-1]),
    ("mean_and_sd", "percent", lambda values: spread_by_hand([100 * value for value in values])),
    ("mean_and_sd", "median", spread(np.std, np.median)),
    ("mean_and_sd", "counter-example", spread(statistics.stdev, max)),
    ("mean_and_sd", "population", spread(np.std)),
    ("mean_and_sd", "variance", spread(statistics.variance)),
    ("mean_and_sd", "population variance", spread(np.var)),
    ("mean_and_sd", "standard error", spread(stats.sem)),
    ("mean_and_sd", "range", spread(np.ptp)),
    ("mean_and_sd", "counter-example", spread(lambda values: 2 * values.std(ddof=1))),
    ("binomial_interval", "kind", (0.9, 0.92)),
    ("binomial_interval", "kind", interval(result=lambda middle, half, n: half)),
    ("binomial_interval", "order", interval(result=lambda middle, half, n: (middle + half, middle - half))),
    (
        "binomial_interval",
        "percent",
        interval(result=lambda middle, half, n: (100 * (middle - half), 100 * (middle + half))),
    ),
    (
        "binomial_interval",
        "images",
        interval(result=lambda middle, half, n: (n * (middle - half), n * (middle + half))),
    ),
    ("binomial_interval", "wrong answers", lambda right, images: interval()(images - right, images)),
    ("binomial_interval", "middle and half width", interval(result=lambda middle, half, n: (middle, half))),
    ("binomial_interval", "normal", plain_interval(lambda p, n: 1.96 * sqrt(p * (1 - p) / n))),
    ("binomial_interval", "one sigma", interval(z=1.0)),
    ("binomial_interval", "one sigma", plain_interval(lambda p, n: sqrt(p * (1 - p) / n))),
    ("binomial_interval", "ninety", interval(z=1.645)),
    ("binomial_interval", "no division", interval(division=False)),
    (
        "binomial_interval",
        "centre",
        plain_interval(lambda p, n: 1.96 * sqrt(p * (1 - p) / n + 0.9604 / n**2)),
    ),
    ("binomial_interval", "no images", plain_interval(lambda p, n: 1.96 * sqrt(p * (1 - p)))),
    ("binomial_interval", "no root", plain_interval(lambda p, n: 1.96 * p * (1 - p) / n)),
    ("binomial_interval", "counter-example", interval(z=3.0)),
    ("binomial_interval", "exact", lambda right, images: stats.binomtest(right, images).proportion_ci()),
    ("binomial_interval", "two", interval(z=2.0)),
    (
        "binomial_interval",
        "middle",
        interval(result=lambda middle, half, n: (middle - half + 1 / n, middle + half + 1 / n)),
    ),
    (
        "binomial_interval",
        "half width",
        interval(result=lambda middle, half, n: (middle - half**2, middle + half**2)),
    ),
    ("binomial_interval", "kind", interval(result=lambda middle, half, n: {middle - half, middle + half})),
    ("mcnemar", "kind", 0.05),
    ("mcnemar", "changes inputs", mcnemar_in_place),
    ("mcnemar", "kind", lambda one, other: one != other),
    ("mcnemar", "kind", lambda one, other: "not significant"),
    ("mcnemar", "counts", mcnemar_from_counts(lambda b, c, n: min(b, c))),
    ("mcnemar", "complement", mcnemar_from_counts(lambda b, c, n: 1 - stats.binomtest(b, b + c).pvalue)),
    ("mcnemar", "one-sided", mcnemar_from_counts(lambda b, c, n: stats.binom.cdf(min(b, c), b + c, 0.5))),
    (
        "mcnemar",
        "one-sided",
        mcnemar_from_counts(lambda b, c, n: stats.binomtest(b, b + c, alternative="greater").pvalue),
    ),
    ("mcnemar", "one count", mcnemar_from_counts(lambda b, c, n: stats.binom.pmf(b, b + c, 0.5))),
    ("mcnemar", "all images", mcnemar_from_counts(lambda b, c, n: stats.binomtest(b, n).pvalue)),
    ("mcnemar", "unpaired", mcnemar_unpaired),
    ("mcnemar", "unpaired", mcnemar_of_shares),
    ("mcnemar", "approximate", mcnemar_from_counts(lambda b, c, n: stats.chi2.sf((b - c) ** 2 / (b + c), 1))),
    (
        "mcnemar",
        "approximate",
        mcnemar_from_counts(lambda b, c, n: stats.chi2.sf((abs(b - c) - 1) ** 2 / (b + c), 1)),
    ),
    ("mcnemar", "above one", mcnemar_uncapped),
    (
        "mcnemar",
        "nothing between them",
        mcnemar_from_counts(lambda b, c, n: stats.binomtest(b, b + c).pvalue),
    ),
    ("mcnemar", "counter-example", mcnemar_from_counts(lambda b, c, n: 0.5)),
]
