"""The answers that students of lab 6 really give: the right ones pass, each wrong one gets its own hint."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F


def errors(
    count: Callable[[Any, Any, Any], Any] = lambda before, after, images: round((after - before) * images),
    share: Callable[[Any, Any, Any], Any] = lambda before, after, images: (after - before) / (1 - before),
) -> Callable[[float, float, int], Any]:
    """Return a `compare_errors` from what it counts, and the share that it gives."""
    return lambda *case: (count(*case), share(*case))


def errors_counted(before: float, after: float, images: int) -> Any:
    wrong = np.round(images * (1 - np.array([before, after])))
    return np.array([wrong[0] - wrong[1], 1 - wrong[1] / wrong[0]])


class Net(torch.nn.Module):
    """A network of linear layers, written as a class."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(map(torch.nn.Linear, widths[:-1], widths[1:]))

    def forward(self, x: Any) -> Any:
        for number, layer in enumerate(self.layers):
            x = layer(x if number == 0 else x.relu())
        return x


def baseline_as_class(pixels: int, hidden: list[int], classes: int) -> Any:
    model = Net([pixels, *hidden, classes])
    return model, sum(parameter.numel() for parameter in model.parameters())


def parameters(widths: list[int]) -> int:
    return sum(a * b + b for a, b in itertools.pairwise(widths))


def baseline(
    between: Callable[[], Any] | None = torch.nn.ReLU,
    after: Callable[[], Any] | None = None,
    before: Callable[[], Any] | None = None,
    count: Callable[[list[int]], int] = parameters,
    keep: Callable[[list[int]], list[int]] = list,
    bias: bool = True,
) -> Callable[[int, list[int], int], Any]:
    """Return a `build_baseline` with a mistake built in."""

    def build_baseline(pixels: int, hidden: list[int], classes: int) -> Any:
        layers, width = [before()] if before else [], pixels
        for wider in keep(hidden):
            layers.append(torch.nn.Linear(width, wider, bias=bias))
            layers += [between()] if between else []
            width = wider
        layers.append(torch.nn.Linear(width, classes, bias=bias))
        layers += [after()] if after else []
        return torch.nn.Sequential(*layers), count([pixels, *keep(hidden), classes])

    return build_baseline


def pad(
    frame: tuple[int, ...] = (2, 2, 2, 2),
    scale: float = 255.0,
    normalise: Callable[[Any, float, float], Any] = lambda x, mean, std: (x - mean) / std,
    **how: Any,
) -> Callable[[Any, float, float], Any]:
    """Return a `pad_to_32` that pads first, with a mistake built in."""
    return lambda pixels, mean, std: normalise(F.pad(pixels.float() / scale, frame, **how), mean, std)


def pad_late(value: float = 0.0, **how: Any) -> Callable[[Any, float, float], Any]:
    """Return a `pad_to_32` that normalises first."""
    return lambda pixels, mean, std: F.pad(
        (pixels / 255 - mean) / std, (2, 2, 2, 2), **{"value": value, **how}
    )


def pad_with_what_black_becomes(pixels: Any, mean: float, std: float) -> Any:
    return F.pad((pixels / 255 - mean) / std, (2, 2, 2, 2), value=-mean / std)


def pad_with_what_is_darkest(pixels: Any, mean: float, std: float) -> Any:
    return pad_late(((pixels / 255 - mean) / std).min().item())(pixels, mean, std)


def pad_in_numpy(pixels: Any, mean: float, std: float) -> Any:
    framed = np.zeros((len(pixels), 1, 32, 32))
    framed[:, :, 2:30, 2:30] = pixels.numpy()
    return (framed / 255 - mean) / std


def pad_everything(pixels: Any, mean: float, std: float) -> Any:
    return (np.pad(pixels.numpy(), 2) / 255 - mean) / std


def stretch(mode: str = "bilinear") -> Callable[[Any, float, float], Any]:
    return lambda pixels, mean, std: (F.interpolate(pixels / 255, size=(32, 32), mode=mode) - mean) / std


def pad_and_turn(pixels: Any, mean: float, std: float) -> Any:
    return pad_with_what_black_becomes(pixels, mean, std).transpose(2, 3)


def standardise(
    of_test: str = "train", dim: int | None = 0, divide: str = "std", zero: str = "one", swap: bool = False
) -> Callable[[Any, Any], Any]:
    """Return a `standardise_pixels` with a mistake built in."""

    def divisor(source: Any) -> Any:
        std = source.std(dim=dim, keepdim=True) if divide == "std" else source.var(dim=dim, keepdim=True)
        if divide == "nothing":
            return torch.ones_like(std)
        if zero == "one":
            return torch.where(std == 0, 1.0, std)
        return std + (1e-8 if zero == "epsilon" else 0)

    def standardise_pixels(train: Any, test: Any) -> Any:
        source = {"train": train, "test": test, "joint": torch.cat([train, test])}
        of_train = source["joint" if of_test == "joint" else "train"]
        parts = [(train, of_train), (test, test if dim == 1 else source[of_test])]
        result = [(part - origin.mean(dim=dim, keepdim=True)) / divisor(origin) for part, origin in parts]
        return result[::-1] if swap else result

    return standardise_pixels


def standardise_with_scikit_learn(train: Any, test: Any) -> Any:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train.numpy())
    return scaler.transform(train.numpy()), scaler.transform(test.numpy())


def standardise_by_column(train: Any, test: Any) -> Any:
    train, test = train.clone(), test.clone()
    for column in range(train.shape[1]):
        mean, std = train[:, column].mean(), train[:, column].std()
        for part in (train, test):
            part[:, column] = (part[:, column] - mean) / (std if std > 0 else 1)
    return train, test


def standardise_but_zero(train: Any, test: Any) -> Any:
    one, other = standardise()(train, test)
    varies = train.std(dim=0) > 0
    return one * varies, other * varies


def standardise_with(train: Any, test: Any, std: Any) -> Any:
    return (train - train.mean(dim=0)) / std, (test - train.mean(dim=0)) / std


def standardise_only_training(train: Any, test: Any) -> Any:
    return standardise()(train, test)[0], test


def scale_only(train: Any, test: Any) -> Any:
    std = train.std(dim=0)
    std[std == 0] = 1
    return train / std, test / std


def unordered(k: int) -> Any:
    return [(a, b) for a in range(k) for b in range(a + 1, k)]


def ordered(k: int) -> Any:
    return [(a, b) for a in range(k) for b in range(k) if a != b]


def pairs(
    places: Callable[[int], Any] = unordered,
    score: Callable[[int, int], Any] = lambda forth, back: -(forth + back),
    show: Callable[..., Any] = lambda a, b, forth, back: (a, b, forth, back),
    extra: int = 0,
) -> Callable[[Any, int], Any]:
    """Return a `confused_pairs` with a mistake built in."""

    def confused_pairs(counts: Any, most: int) -> Any:
        table = [[int(value) for value in row] for row in counts]
        listed = [(a, b, table[a][b], table[b][a]) for a, b in places(len(table))]
        return [show(*row) for row in sorted(listed, key=lambda row: score(*row[2:]))[: most + extra]]

    return confused_pairs


def pairs_in_torch(counts: Any, most: int) -> Any:
    both = torch.triu(counts + counts.T, diagonal=1)
    cells = both.flatten().topk(most).indices
    a, b = cells // len(counts), cells % len(counts)
    return torch.stack([a, b, counts[a, b], counts[b, a]], dim=1)


def pairs_by_frequency(counts: Any, most: int) -> Any:
    found = {row[2] + row[3]: row for row in pairs()(counts, 100)}
    return [found[total] for total in sorted(found, reverse=True)][:most]


def last_epoch(
    weight_before: Callable[[int], float] = lambda epochs: epochs - 1,
    weight_after: Callable[[int], float] = lambda epochs: epochs,
    scale: float = 0.01,
    finish: Callable[[float], float] = round,
) -> Callable[[float, float, int, int], float]:
    """Return a `right_in_last_epoch` with a mistake built in."""

    def right_in_last_epoch(before: float, after: float, epochs: int, images: int) -> float:
        of_all, of_the_others = after * weight_after(epochs), before * weight_before(epochs)
        return finish(scale * images * (of_all - of_the_others))

    return right_in_last_epoch


def last_epoch_by_counts(before: float, after: float, epochs: int, images: int) -> float:
    return round(after * epochs * images / 100) - round(before * (epochs - 1) * images / 100)


RIGHT: list[tuple[str, Any]] = [
    ("compare_errors", errors()),
    ("compare_errors", errors_counted),
    ("compare_errors", errors(lambda before, after, images: (after - before) * images)),
    ("build_baseline", baseline()),
    ("build_baseline", baseline_as_class),
    ("pad_to_32", pad()),
    ("pad_to_32", pad_with_what_black_becomes),
    ("pad_to_32", pad_in_numpy),
    ("pad_to_32", lambda *images: pad()(*images).tolist()),
    ("standardise_pixels", standardise()),
    ("standardise_pixels", standardise_with_scikit_learn),
    ("standardise_pixels", standardise_by_column),
    ("confused_pairs", pairs()),
    ("confused_pairs", pairs_in_torch),
    ("confused_pairs", lambda counts, most: (row for row in pairs()(counts, most))),
    ("right_in_last_epoch", last_epoch()),
    ("right_in_last_epoch", last_epoch(finish=np.round)),
    ("right_in_last_epoch", last_epoch_by_counts),
]
WRONG: list[tuple[str, str, Any]] = [
    ("compare_errors", "kind", (28, 0.44)),
    ("compare_errors", "kind", lambda before, after, images: round((after - before) * images)),
    ("compare_errors", "kind", lambda before, after, images: f"{after - before:.2%}"),
    ("compare_errors", "order", lambda *case: errors()(*case)[::-1]),
    ("compare_errors", "percentage points", errors(lambda before, after, images: 100 * (after - before))),
    ("compare_errors", "share of the images", errors(lambda before, after, images: after - before)),
    ("compare_errors", "cut off", errors(lambda before, after, images: int((after - before) * images))),
    ("compare_errors", "ten thousand", errors(lambda before, after, images: (after - before) * 10_000)),
    ("compare_errors", "of one network", errors(lambda before, after, images: round((1 - before) * images))),
    (
        "compare_errors",
        "sign",
        lambda before, after, images: tuple(-x for x in errors_counted(before, after, images)),
    ),
    ("compare_errors", "always positive", lambda *case: tuple(map(abs, errors_counted(*case)))),
    ("compare_errors", "never negative", lambda *case: tuple(max(0, x) for x in errors_counted(*case))),
    (
        "compare_errors",
        "percent",
        errors(share=lambda before, after, images: 100 * (after - before) / (1 - before)),
    ),
    ("compare_errors", "absolute", errors(share=lambda before, after, images: after - before)),
    ("compare_errors", "of the accuracy", errors(share=lambda before, after, images: after / before - 1)),
    ("compare_errors", "of the new errors", errors(share=lambda a, b, images: (1 - a) / (1 - b) - 1)),
    ("compare_errors", "what is left", errors(share=lambda a, b, images: (1 - b) / (1 - a))),
    ("compare_errors", "percent in", errors(share=lambda a, b, images: 1 - (100 - b) / (100 - a))),
    ("compare_errors", "counter-example", errors(lambda before, after, images: 28)),
    ("build_baseline", "exception", torch.nn.Linear(784, 10)),
    ("build_baseline", "kind", lambda *sizes: baseline()(*sizes)[0]),
    ("build_baseline", "kind", lambda *sizes: baseline()(*sizes)[::-1]),
    ("build_baseline", "kind", lambda pixels, hidden, classes: (torch.nn.Linear(784, 10), 1)),
    (
        "build_baseline",
        "no biases counted",
        baseline(count=lambda w: sum(a * b for a, b in itertools.pairwise(w))),
    ),
    (
        "build_baseline",
        "one bias",
        baseline(count=lambda w: sum(a * b + 1 for a, b in itertools.pairwise(w))),
    ),
    (
        "build_baseline",
        "a bias per input",
        baseline(count=lambda w: sum(a * b + a for a, b in itertools.pairwise(w))),
    ),
    (
        "build_baseline",
        "sum of widths",
        baseline(count=lambda w: sum(a + b for a, b in itertools.pairwise(w))),
    ),
    ("build_baseline", "last layer counted", baseline(count=lambda w: w[-1] * (w[-2] + 1))),
    ("build_baseline", "count", baseline(count=lambda w: 7)),
    ("build_baseline", "no activation", baseline(between=None)),
    ("build_baseline", "ReLU after the last", baseline(after=torch.nn.ReLU)),
    ("build_baseline", "softmax", baseline(after=lambda: torch.nn.Softmax(dim=1))),
    ("build_baseline", "ReLU first", baseline(before=torch.nn.ReLU)),
    ("build_baseline", "other activation", baseline(between=torch.nn.Tanh)),
    ("build_baseline", "no bias", baseline(bias=False)),
    ("build_baseline", "one hidden layer", baseline(keep=lambda hidden: hidden[:1])),
    ("build_baseline", "linear only", baseline(keep=lambda hidden: [])),
    ("build_baseline", "reversed", baseline(keep=lambda hidden: hidden[::-1])),
    ("build_baseline", "exception", lambda pixels, hidden, classes: baseline()(pixels, [hidden[0]], classes)),
    (
        "build_baseline",
        "counter-example",
        lambda pixels, hidden, classes: baseline()(pixels, hidden, classes + 1),
    ),
    ("pad_to_32", "kind", 32),
    ("pad_to_32", "kind", lambda pixels, mean, std: None),
    ("pad_to_32", "not padded", lambda pixels, mean, std: (pixels / 255 - mean) / std),
    ("pad_to_32", "four", pad((4, 4, 4, 4))),
    ("pad_to_32", "one dimension", pad((2, 2))),
    ("pad_to_32", "one dimension", pad((0, 0, 2, 2))),
    ("pad_to_32", "all dimensions", pad_everything),
    ("pad_to_32", "all dimensions", pad((2, 2, 2, 2, 2, 2))),
    ("pad_to_32", "no channels", lambda pixels, mean, std: pad()(pixels, mean, std).squeeze(1)),
    ("pad_to_32", "corner", pad((0, 4, 0, 4))),
    ("pad_to_32", "grey frame", pad_late()),
    ("pad_to_32", "frame of -1", pad_late(-1.0)),
    ("pad_to_32", "white frame", pad(value=1.0)),
    ("pad_to_32", "copied edge", pad(mode="replicate")),
    ("pad_to_32", "copied edge", pad(mode="reflect")),
    ("pad_to_32", "resized", stretch()),
    ("pad_to_32", "resized", stretch("nearest")),
    ("pad_to_32", "not normalised", pad(normalise=lambda x, mean, std: x)),
    ("pad_to_32", "neither", lambda pixels, mean, std: F.pad(pixels, (2, 2, 2, 2))),
    ("pad_to_32", "0 to 255", pad(scale=1.0)),
    ("pad_to_32", "no deviation", pad(normalise=lambda x, mean, std: x - mean)),
    ("pad_to_32", "counter-example", pad_and_turn),
    ("pad_to_32", "counter-example", lambda pixels, mean, std: torch.zeros(len(pixels), 1, 32, 32)),
    ("pad_to_32", "darkest pixel", pad_with_what_is_darkest),
    ("pad_to_32", "corner", pad((1, 3, 1, 3))),
    ("pad_to_32", "own statistics", pad(normalise=lambda x, mean, std: (x - x.mean()) / x.std())),
    ("pad_to_32", "exchanged", pad(normalise=lambda x, mean, std: (x - std) / mean)),
    ("pad_to_32", "multiplied", pad(normalise=lambda x, mean, std: (x - mean) * std)),
    ("pad_to_32", "whole numbers", lambda pixels, mean, std: pad()(pixels // 255 * 255, mean, std)),
    ("pad_to_32", "256", pad(scale=256.0)),
    ("pad_to_32", "counter-example", lambda pixels, mean, std: pad()(pixels, mean, std)[:1]),
    ("pad_to_32", "counter-example", lambda pixels, mean, std: pad()(pixels, 0.1307, 0.3081)),
    ("pad_to_32", "frame of -mean", lambda pixels, mean, std: pad_late(-mean)(pixels, mean, std)),
    ("pad_to_32", "brackets", pad(normalise=lambda x, mean, std: x - mean / std)),
    ("standardise_pixels", "kind", 0.5),
    ("standardise_pixels", "kind", lambda train, test: standardise()(train, test)[0]),
    ("standardise_pixels", "kind", lambda train, test: ("one", "two")),
    ("standardise_pixels", "swapped", standardise(swap=True)),
    ("standardise_pixels", "counter-example", lambda train, test: (train.mean(0), test.mean(0))),
    ("standardise_pixels", "nan", standardise(zero="as it is")),
    ("standardise_pixels", "tiny divisor", standardise(zero="epsilon")),
    ("standardise_pixels", "test statistics", standardise(of_test="test")),
    ("standardise_pixels", "joint statistics", standardise(of_test="joint")),
    ("standardise_pixels", "all pixels alike", standardise(dim=None)),
    ("standardise_pixels", "per image", standardise(dim=1)),
    ("standardise_pixels", "variance", standardise(divide="variance")),
    ("standardise_pixels", "mean only", standardise(divide="nothing")),
    ("standardise_pixels", "deviation only", scale_only),
    (
        "standardise_pixels",
        "test not centred",
        lambda train, test: (standardise()(train, test)[0], standardise()(train, test + train.mean(0))[1]),
    ),
    (
        "standardise_pixels",
        "at least 1",
        lambda train, test: standardise_with(train, test, train.std(dim=0).clamp(min=1)),
    ),
    ("standardise_pixels", "test untouched", standardise_only_training),
    ("standardise_pixels", "zeroed", standardise_but_zero),
    ("standardise_pixels", "counter-example", lambda train, test: (train, test)),
    ("standardise_pixels", "kind", lambda train, test: torch.cat(standardise()(train, test))),
    (
        "standardise_pixels",
        "one added",
        lambda train, test: standardise_with(train, test, train.std(dim=0) + 1),
    ),
    (
        "standardise_pixels",
        "nan",  # it takes pixels whose mean is 0 for those that never vary
        lambda train, test: standardise_with(
            train, test, train.std(dim=0).where(train.mean(dim=0) != 0, 1.0)
        ),
    ),
    ("confused_pairs", "kind", [(4, 9, 23, 0)]),
    ("confused_pairs", "changes inputs", lambda counts, most: pairs()(counts.fill_diagonal_(0), most)),
    ("confused_pairs", "larger first", pairs(show=lambda a, b, forth, back: (b, a, back, forth))),
    ("confused_pairs", "exception", pairs(lambda k: unordered(10))),
    ("confused_pairs", "length", lambda counts, most: pairs()(counts, 5)),
    ("confused_pairs", "kind", lambda counts, most: [("4", "nine")] * most),
    ("confused_pairs", "kind", pairs(show=lambda a, b, forth, back: (a, b, forth + back))),
    ("confused_pairs", "counter-example", pairs(show=lambda a, b, forth, back: (a, b, forth / 7, back / 7))),
    ("confused_pairs", "diagonal", pairs(lambda k: [(a, b) for a in range(k) for b in range(a, k)])),
    ("confused_pairs", "diagonal", pairs(lambda k: [(a, b) for a in range(k) for b in range(k)])),
    ("confused_pairs", "length", pairs(extra=1)),
    ("confused_pairs", "columns", pairs(show=lambda a, b, forth, back: (a, b, back, forth))),
    ("confused_pairs", "twice", pairs(ordered)),
    ("confused_pairs", "one direction", pairs(ordered, score=lambda forth, back: -forth)),
    ("confused_pairs", "one direction", pairs(score=lambda forth, back: -forth)),
    ("confused_pairs", "one direction", pairs(score=lambda forth, back: -back)),
    ("confused_pairs", "ascending", pairs(score=lambda forth, back: forth + back)),
    ("confused_pairs", "level pairs", pairs_by_frequency),
    (
        "confused_pairs",
        "counter-example",
        lambda counts, most: [row for row in pairs()(counts, 100) if row[2] and row[3]][:most],
    ),
    ("confused_pairs", "counter-example", lambda counts, most: pairs()(counts[:-1, :-1], most)),
    ("confused_pairs", "order", lambda counts, most: pairs()(counts, most)[::-1]),
    ("confused_pairs", "length", lambda counts, most: [(0, 1, 2, 3), (0, 2, 3, 1), (1, 2, 3, 4)]),
    ("right_in_last_epoch", "kind", 9878),
    (
        "right_in_last_epoch",
        "counter-example",
        lambda before, after, *_: last_epoch()(before, after, 50, 10_000),
    ),
    ("right_in_last_epoch", "kind", lambda before, after, epochs, images: "9,878"),
    ("right_in_last_epoch", "percent", lambda *case: 100 * last_epoch()(*case) / case[3]),
    ("right_in_last_epoch", "share", lambda *case: last_epoch()(*case) / case[3]),
    ("right_in_last_epoch", "sign", last_epoch(scale=-0.01)),
    ("right_in_last_epoch", "hundredfold", last_epoch(scale=1.0)),
    (
        "right_in_last_epoch",
        "difference of means",
        last_epoch(lambda epochs: 1, lambda epochs: 1, finish=float),
    ),
    ("right_in_last_epoch", "mean", last_epoch(lambda epochs: 0, lambda epochs: 1, finish=float)),
    ("right_in_last_epoch", "all epochs", last_epoch(lambda epochs: 0)),
    ("right_in_last_epoch", "as many epochs", last_epoch(lambda epochs: epochs, finish=float)),
    (
        "right_in_last_epoch",
        "an epoch too many",
        last_epoch(lambda epochs: epochs, lambda epochs: epochs + 1),
    ),
    ("right_in_last_epoch", "not whole", last_epoch(finish=float)),
    ("right_in_last_epoch", "cut off", last_epoch(finish=int)),
    ("right_in_last_epoch", "counter-example", lambda before, after, epochs, images: images),
]
