"""The answers that students of lab 6 really give: the right ones pass, each wrong one gets its own hint."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F


def reduction_in_wrong_images(before: float, after: float, images: int = 10_000) -> float:
    wrong_before = images - before * images
    wrong_after = images - after * images
    return np.float64((wrong_before - wrong_after) / wrong_before)


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
    ("images_apart", 28),
    ("images_apart", (0.9965 - 0.9937) * 10_000),
    ("images_apart", torch.tensor(28)),
    ("relative_error_reduction", lambda before, after: 1 - (1 - after) / (1 - before)),
    ("relative_error_reduction", reduction_in_wrong_images),
    ("pad_to_32", pad()),
    ("pad_to_32", pad_with_what_black_becomes),
    ("pad_to_32", pad_in_numpy),
    ("pad_to_32", lambda *images: pad()(*images).tolist()),
    ("linear_parameters", 28 * 28 * 10 + 10),
    ("linear_parameters", np.float32(7850)),
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
    ("images_apart", "percentage points", 99.65 - 99.37),
    ("images_apart", "share", 0.0028),
    ("images_apart", "thousand", 2.8),
    ("images_apart", "hundredfold", 280),
    ("images_apart", "sign", -28),
    ("images_apart", "none", 0),
    ("images_apart", "cut off", 27),
    ("images_apart", "wrong", 35),
    ("images_apart", "wrong", 63),
    ("images_apart", "right", 9937),
    ("images_apart", "other", 3),
    ("images_apart", "kind", "28 images"),
    ("relative_error_reduction", "kind", 0.44),
    ("relative_error_reduction", "kind", lambda before, after: f"{after - before:.2%}"),
    ("relative_error_reduction", "percent", lambda before, after: 100 * (after - before) / (1 - before)),
    ("relative_error_reduction", "sign", lambda before, after: (before - after) / (1 - before)),
    ("relative_error_reduction", "always positive", lambda before, after: abs(after - before) / (1 - before)),
    ("relative_error_reduction", "never negative", lambda one, two: max(0, 1 - (1 - two) / (1 - one))),
    ("relative_error_reduction", "absolute", lambda before, after: after - before),
    ("relative_error_reduction", "of the accuracy", lambda before, after: after / before - 1),
    ("relative_error_reduction", "of the new errors", lambda before, after: (1 - before) / (1 - after) - 1),
    ("relative_error_reduction", "what is left", lambda before, after: (1 - after) / (1 - before)),
    ("relative_error_reduction", "percent in", lambda before, after: 1 - (100 - after) / (100 - before)),
    ("relative_error_reduction", "counter-example", lambda before, after: 0.44),
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
    ("pad_to_32", "counter-example", pad_with_what_is_darkest),
    ("pad_to_32", "counter-example", lambda pixels, mean, std: pad()(pixels, mean, std)[:1]),
    ("pad_to_32", "counter-example", lambda pixels, mean, std: pad()(pixels, 0.1307, 0.3081)),
    ("pad_to_32", "frame of -mean", lambda pixels, mean, std: pad_late(-mean)(pixels, mean, std)),
    ("pad_to_32", "brackets", pad(normalise=lambda x, mean, std: x - mean / std)),
    ("linear_parameters", "no biases", 7840),
    ("linear_parameters", "one bias", 7841),
    ("linear_parameters", "a bias per pixel", 7840 + 784),
    ("linear_parameters", "one class", 785),
    ("linear_parameters", "one class", 784),
    ("linear_parameters", "32", 10_250),
    ("linear_parameters", "32", 10_240),
    ("linear_parameters", "sum", 794),
    ("linear_parameters", "other", 10),
    ("linear_parameters", "kind", None),
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
