"""The answers that students of lab 3 really give: the right ones pass, each wrong one gets its own hint."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F


def step_as_in_the_solution(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    loss = criterion(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def step_zeroing_first(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> Any:
    optimizer.zero_grad(set_to_none=False)
    loss = F.nll_loss(F.log_softmax(model(images), dim=1), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


def step_without_zero_grad(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_with_softmax(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    return step_as_in_the_solution(lambda x: model(x).softmax(dim=1), images, labels, criterion, optimizer)


def step_zeroing_after_backward(
    model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any
) -> float:
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def step_before_backward(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    loss = criterion(model(images), labels)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def step_returning_nothing(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> None:
    step_as_in_the_solution(model, images, labels, criterion, optimizer)


def step_returning(pick: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def step(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> Any:
        logits = model(images)
        loss = criterion(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return pick(logits, loss)

    return step


def step_only_forward(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    return criterion(model(images), labels).item()


def step_twice(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    step_as_in_the_solution(model, images, labels, criterion, optimizer)
    return step_as_in_the_solution(model, images, labels, criterion, optimizer)


def evaluation(
    mode: bool | None = False,
    dim: int = 1,
    softmax: bool = False,
    by_batch: bool = False,
    gradients: bool = False,
    result: Callable[[float, float, int], Any] = lambda loss, hits, count: (loss / count, hits / count),
) -> Callable[[Any, Any], Any]:
    """Return an `evaluate` with a mistake built in."""

    def evaluate(model: Any, batches: Any) -> Any:
        model.train(model.training if mode is None else mode)
        loss, hits, count = 0.0, 0.0, 0
        for images, labels in batches:
            with torch.set_grad_enabled(gradients):
                logits = model(images)
            scores = logits.softmax(dim=1) if softmax else logits
            size = 1 if by_batch else len(labels)
            loss += F.cross_entropy(scores, labels).item() * size
            right = logits.argmax(dim=dim)[: len(labels)] == labels[: logits.shape[1 - dim]]
            hits += right.float().mean().item() * size
            count += size
        return result(loss, hits, count)

    return evaluate


def step_in_double_precision(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> Any:
    return step_as_in_the_solution(model.double(), images.double(), labels, criterion, optimizer)


def step_with_the_loss_afterwards(
    model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any
) -> Any:
    step_as_in_the_solution(model, images, labels, criterion, optimizer)
    return criterion(model(images), labels).item()


def evaluate_in_two_loops(model: Any, batches: Any) -> Any:
    model.eval()
    with torch.no_grad():
        losses = [(F.cross_entropy(model(x), y).item() * len(y), len(y)) for x, y in batches]
        hits = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in batches)
    count = sum(size for _, size in losses)
    return sum(loss for loss, _ in losses) / count, hits / count


def evaluate_and_train(model: Any, batches: Any) -> Any:
    pairs = list(batches)
    figures = evaluation()(model, pairs)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.9)
    return figures


def evaluate_in_double_precision(model: Any, batches: Any) -> Any:
    return evaluation()(model.double(), [(images.double(), labels) for images, labels in batches])


def evaluate_at_once(model: Any, batches: Any) -> Any:
    model.eval()
    pairs = list(batches)
    with torch.inference_mode():
        logits = torch.cat([model(images) for images, _ in pairs])
    labels = torch.cat([labels for _, labels in pairs])
    return torch.tensor(
        [F.cross_entropy(logits, labels), (logits.argmax(1) == labels).double().mean()], dtype=torch.double
    )


def count_pairs(predicted: Any, labels: Any, classes: int) -> Any:
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)


def count_in_lists(predicted: Any, labels: Any, classes: int) -> Any:
    pairs = list(zip(labels.tolist(), predicted.tolist(), strict=True))
    return [[pairs.count((row, column)) for column in range(classes)] for row in range(classes)]


def count_once(predicted: Any, labels: Any, classes: int) -> Any:
    table = torch.zeros(classes, classes)
    table[labels, predicted] += 1
    return table


def listing(
    score: str = "confidence", keep: str = "wrong", descending: bool = True, within: bool = False
) -> Callable[[Any, Any, int], Any]:
    """Return a `confident_mistakes` with a mistake built in."""

    def confident_mistakes(logits: Any, labels: Any, most: int) -> Any:
        probabilities = logits.softmax(dim=1)
        scores = {
            "confidence": probabilities.max(dim=1).values,
            "logits": logits.max(dim=1).values,
            "truth": probabilities[torch.arange(len(labels)), labels],
            "none": -torch.arange(len(labels)).float(),
        }[score]
        predicted = logits.argmax(dim=1)
        kept = {"wrong": predicted != labels, "right": predicted == labels, "all": labels >= 0}[keep]
        places = kept.nonzero().flatten()
        order = scores[places].argsort(descending=descending)
        return (order if within else places[order])[:most]

    return confident_mistakes


def mistakes_in_plain_python(logits: Any, labels: Any, most: int) -> list[int]:
    rows = [(max(row.softmax(0).tolist()), int(row.argmax()), index) for index, row in enumerate(logits)]
    wrong = [(confidence, index) for confidence, guess, index in rows if guess != labels[index]]
    return [index for _, index in sorted(wrong, reverse=True)][:most]


def mistakes_by_topk(logits: Any, labels: Any, most: int) -> Any:
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    wrong = (predicted != labels).nonzero().flatten()
    return wrong[confidence[wrong].topk(most).indices]


RIGHT: list[tuple[str, Any]] = [
    ("first_loss", math.log(3)),
    ("first_loss", torch.tensor(1.0986)),
    ("train_step", step_as_in_the_solution),
    ("train_step", step_zeroing_first),
    ("evaluate", evaluation()),
    ("evaluate", evaluate_at_once),
    ("confusion", count_pairs),
    ("confusion", count_in_lists),
    ("confident_mistakes", listing()),
    ("confident_mistakes", mistakes_in_plain_python),
    ("confident_mistakes", lambda logits, labels, most: listing()(logits.double(), labels, most).numpy()),
    (
        "confusion",
        lambda predicted, labels, classes: count_pairs(predicted, labels, classes).double().numpy(),
    ),
    (
        "evaluate",
        torch.inference_mode()(evaluation(result=lambda loss, hits, count: [loss / count, hits / count])),
    ),
    ("train_step", lambda model, *others: step_as_in_the_solution(model.train(), *others)),
]
WRONG: list[tuple[str, str, Any]] = [
    ("first_loss", "base 2", math.log2(3)),
    ("first_loss", "base 10", math.log10(3)),
    ("first_loss", "probability", 1 / 3),
    ("first_loss", "sign", math.log(1 / 3)),
    ("first_loss", "ten classes", math.log(10)),
    ("first_loss", "other", 0.0),
    ("first_loss", "kind", "ln 3"),
    ("train_step", "no zero_grad", step_without_zero_grad),
    ("train_step", "softmax", step_with_softmax),
    ("train_step", "no step", step_zeroing_after_backward),
    ("train_step", "no step", step_only_forward),
    ("train_step", "step before backward", step_before_backward),
    ("train_step", "kind", step_returning_nothing),
    ("train_step", "kind", step_returning(lambda logits, loss: logits)),
    ("train_step", "keeps the graph", step_returning(lambda logits, loss: loss)),
    ("train_step", "two steps", step_twice),
    ("train_step", "kind", 0.5),
    ("train_step", "evaluation mode", lambda model, *others: step_as_in_the_solution(model.eval(), *others)),
    ("train_step", "counter-example", step_in_double_precision),
    ("train_step", "loss afterwards", step_with_the_loss_afterwards),
    ("evaluate", "train mode", evaluation(mode=True)),
    ("evaluate", "train mode", evaluation(mode=None)),
    ("evaluate", "read twice", evaluate_in_two_loops),
    ("evaluate", "one batch", lambda model, batches: evaluation()(model, list(batches)[-1:])),
    ("evaluate", "counter-example", evaluate_and_train),
    ("evaluate", "counter-example", evaluate_in_double_precision),
    ("evaluate", "softmax", evaluation(softmax=True)),
    ("evaluate", "batch mean", evaluation(by_batch=True)),
    ("evaluate", "records gradients", evaluation(gradients=True)),
    ("evaluate", "counter-example", evaluation(dim=0)),
    ("evaluate", "swapped", evaluation(result=lambda loss, hits, count: (hits / count, loss / count))),
    ("evaluate", "percent", evaluation(result=lambda loss, hits, count: (loss / count, 100 * hits / count))),
    ("evaluate", "count", evaluation(result=lambda loss, hits, count: (loss / count, hits))),
    ("evaluate", "counter-example", evaluation(result=lambda loss, hits, count: (loss, 0.123))),
    ("evaluate", "kind", evaluation(result=lambda loss, hits, count: hits / count)),
    ("confusion", "transposed", lambda predicted, labels, classes: count_pairs(labels, predicted, classes)),
    (
        "confusion",
        "shares",
        lambda predicted, labels, classes: F.normalize(count_pairs(predicted, labels, classes).double(), p=1),
    ),
    ("confusion", "too small", lambda predicted, labels, classes: F.one_hot(labels).T @ F.one_hot(predicted)),
    (
        "confusion",
        "mistakes only",
        lambda predicted, labels, classes: count_pairs(predicted, labels, classes).fill_diagonal_(0),
    ),
    (
        "confusion",
        "hits only",
        lambda predicted, labels, classes: count_pairs(predicted, labels, classes).diag().diag(),
    ),
    ("confusion", "once", count_once),
    ("confusion", "counter-example", lambda predicted, labels, classes: (predicted == labels).sum()),
    ("confusion", "counter-example", lambda *answers: count_pairs(*answers) + 1),
    ("confident_mistakes", "ascending", listing(descending=False)),
    ("confident_mistakes", "right ones", listing(keep="all")),
    ("confident_mistakes", "only right ones", listing(keep="right")),
    ("confident_mistakes", "logits", listing(score="logits")),
    ("confident_mistakes", "positions", listing(within=True)),
    ("confident_mistakes", "probability of the truth", listing(score="truth")),
    ("confident_mistakes", "too few", mistakes_by_topk),
    ("confident_mistakes", "not cut", lambda logits, labels, most: listing()(logits, labels, len(labels))),
    ("confident_mistakes", "not sorted", listing(score="none")),
    ("confident_mistakes", "kind", lambda logits, labels, most: (logits.argmax(1) != labels).nonzero()),
    ("confident_mistakes", "counter-example", lambda logits, labels, most: torch.zeros(most)),
]
