"""Exercises of lab 3: train VGG-16 on CIFAR-3."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.course.exercises.judging import FunctionExercise, Mistake, NumberExercise
from deepernets.course.exercises.values import (
    Raised,
    Unsuitable,
    attempt,
    kind_of,
    normal,
    number,
    numbers,
    tensor,
)

FIRST_LOSS = NumberExercise(
    "first_loss",
    expected="the mean cross-entropy per image, in nats",
    reference=math.log(3),
    mistakes=[
        Mistake("base 2", math.log2(3), "That is the loss in bits. PyTorch uses the natural logarithm."),
        Mistake("base 10", math.log10(3), "That is the logarithm to base 10. PyTorch uses the natural one."),
        Mistake("probability", 1 / 3, "That is the probability of the right class. The loss is -ln of it."),
        Mistake(
            "sign", -math.log(3), "The logarithm of a probability is negative, and the loss is its negative."
        ),
        Mistake("ten classes", math.log(10), "That is the loss for ten classes. CIFAR-3 has three."),
        Mistake("sum", 3 * math.log(3), "You add up three classes. Only the right class counts."),
        Mistake("wrong classes", -math.log(2 / 3), "That takes the probability of the wrong classes."),
        Mistake("no logarithm", 3, "That is 1 / p. Which function of p is the loss?"),
    ],
    otherwise="Which probability does an untrained network give to each of three classes? Take -ln of it.",
)

Batch = tuple[Tensor, Tensor]  # images (N, C, H, W) and labels (N,)


def _batches(draw: Random, *sizes: int, classes: int = 3) -> list[Batch]:
    return [
        (normal(draw, size, 3, 2, 2) * 2 + 1, torch.tensor([draw.randrange(classes) for _ in range(size)]))
        for size in sizes
    ]


class _Watched(nn.Module):
    """A small network that notes whether gradients were recorded; `layers` are built from plain data.

    Args:
        normalised: Whether it has batch normalisation, nested as in the lab's networks.
        classes: The number of classes.
        seed: Draws its weights and statistics.
    """

    def __init__(self, normalised: bool, classes: int, seed: int) -> None:
        super().__init__()
        norm = nn.BatchNorm2d(3) if normalised else nn.Identity()
        self.layers = nn.Sequential(nn.Sequential(norm, nn.Flatten()), nn.Linear(12, classes))
        self.recorded = False
        draw = Random(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(normal(draw, *parameter.shape))

    def forward(self, images: Tensor) -> Tensor:
        self.recorded |= torch.is_grad_enabled()
        return self.layers(images)

    def state(self) -> Tensor:
        """Return all weights and statistics as one row."""
        return torch.cat([values.detach().double().flatten() for values in self.state_dict().values()])


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD with momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=5e-4),
    "Adam": partial(torch.optim.Adam, lr=0.01),
}


def _step(  # noqa: PLR0913, since the mistakes are made of its parts
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: str = "clear backward step",
    scores: Callable[[Tensor], Tensor] = lambda logits: logits,
    result: Callable[[Tensor], Any] = Tensor.item,
) -> Any:
    """Take one step on one batch and return its loss."""
    loss = criterion(scores(model(images)), labels)
    does = {"clear": optimizer.zero_grad, "backward": loss.backward, "step": optimizer.step}
    for part in parts.split():
        does[part]()
    return result(loss)


def _in_evaluation_mode(model: nn.Module, *others: Any) -> Any:
    return _step(model.eval(), *others)


def _two_steps(*arguments: Any) -> Any:
    _step(*arguments)
    return _step(*arguments)


def _loss_afterwards(model: nn.Module, images: Tensor, labels: Tensor, criterion: Any, optimizer: Any) -> Any:
    _step(model, images, labels, criterion, optimizer)
    return criterion(model(images), labels).item()


LOSS = number("the loss of the batch")


def _train(function: Callable[..., Any], kind: str, batches: list[Batch], seed: int, normalised: bool) -> Any:
    """Return what some steps, one on each batch, return and leave behind."""
    model = _Watched(normalised, 3, seed)
    optimizer = OPTIMIZERS[kind](model.parameters())
    seen: dict[str, Any] = {}
    for place, (images, labels) in enumerate(batches, 1):
        loss = function(model, images, labels, nn.CrossEntropyLoss(), optimizer)
        seen[f"the loss of step {place}"] = LOSS(loss)
        seen[f"'the model is in training mode' after step {place}"] = model.training
        seen[f"the weights and statistics after step {place}"] = tensor("the weights")(model.state())
        seen[f"the type of the weights after step {place}"] = str(next(model.parameters()).dtype)
        seen[f"'the loss keeps its graph' after step {place}"] = getattr(loss, "requires_grad", False)
    return seen


TRAIN_STEP = FunctionExercise(
    "train_step(model, images, labels, criterion, optimizer)",
    returns=LOSS,
    reference=_step,
    inputs=lambda draw: [
        ("SGD with momentum", _batches(draw, 4), draw.getrandbits(16), False),
        ("SGD with momentum", _batches(draw, 8, 8, 5), draw.getrandbits(16), True),
        ("Adam", _batches(draw, 6, 6), draw.getrandbits(16), True),
    ],
    observe=_train,
    shown=lambda kind, batches, seed, normalised: (
        f"a model with{'' if normalised else 'out'} batch normalisation, {len(batches)} batches in turn, {kind}"
    ),
    mistakes=[
        Mistake(
            "no zero_grad",
            partial(_step, parts="backward step"),
            "Later steps also use the gradients of earlier batches: which call clears them?",
        ),
        Mistake(
            "softmax",
            partial(_step, scores=lambda logits: logits.softmax(dim=1)),
            "nn.CrossEntropyLoss takes logits and applies the softmax itself: yours is applied twice.",
        ),
        Mistake(
            "no step",
            [partial(_step, parts=parts) for parts in ("", "clear backward", "backward clear step")],
            "The weights stay as they were. backward() and then step(), with nothing between, change them.",
        ),
        Mistake(
            "step before backward",
            [partial(_step, parts=parts) for parts in ("step clear backward", "clear step backward")],
            "The optimizer steps before it has this batch's gradients: call backward() first.",
        ),
        Mistake(
            "evaluation mode",
            _in_evaluation_mode,
            "Your step puts the model into evaluation mode. Leave the mode as it is.",
        ),
        Mistake("two steps", _two_steps, "You take two steps on each batch."),
        Mistake(
            "keeps the graph",
            partial(_step, result=lambda loss: loss),
            "All is right, but the tensor that you return keeps its graph in memory. Return a number.",
        ),
        Mistake(
            "loss afterwards",
            _loss_afterwards,
            "You compute the loss again after the step. Return the loss that the step was made with.",
        ),
    ],
)


def _figures(
    model: nn.Module,
    batches: Iterable[Batch],
    train: bool | None = False,
    gradients: bool = False,
    scores: Callable[[Tensor], Tensor] = lambda logits: logits,
) -> list[tuple[int, float, int]]:
    """Return for each batch its size, its mean loss, and how many images are classified correctly."""
    model.train(model.training if train is None else train)
    with torch.set_grad_enabled(gradients):
        outputs = [(model(images), labels) for images, labels in batches]
    return [
        (len(labels), F.cross_entropy(scores(z), labels).item(), int((z.argmax(1) == labels).sum()))
        for z, labels in outputs
    ]


def _mean(figures: list[Any]) -> tuple[float, float]:
    count = sum(size for size, _, _ in figures)
    return sum(n * loss for n, loss, _ in figures) / count, sum(hits for _, _, hits in figures) / count


def _mean_of_batches(figures: list[Any]) -> tuple[float, float]:
    count = len(figures)
    return sum(loss for _, loss, _ in figures) / count, sum(hits / n for n, _, hits in figures) / count


def _evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    reduce: Callable[[list[Any]], tuple[float, float]] = _mean,
    **changes: Any,
) -> tuple[float, float]:
    """Return the mean loss per image and the share of images classified correctly."""
    return reduce(_figures(model, batches, **changes))


def _by_batches(loss: Callable[[list[Any]], Any], accuracy: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    return partial(_evaluate, reduce=lambda figures: (loss(figures)[0], accuracy(figures)[1]))


def _then(change: Callable[[float, float, int], Any]) -> Callable[..., Any]:
    """Return an evaluation that changes the right loss and accuracy, given the number of images as well."""
    return partial(_evaluate, reduce=lambda figures: change(*_mean(figures), sum(f[0] for f in figures)))


FIGURES = numbers("the mean loss and the accuracy", length=2)


def _evaluation(
    function: Callable[..., Any], batches: list[Batch], classes: int, seed: int, train: bool
) -> Any:
    """Return what an evaluation returns and does to a model; the batches can be read once, as in the lab."""
    model = _Watched(True, classes, seed)
    model.train()
    for images, _ in batches:
        if len(images) > 1:
            model(images.flip(0) + 1)  # statistics that differ from the batches'
    model.train(train).recorded = False
    before = model.state()
    loss, accuracy = FIGURES(function(model, iter(batches)))
    return {
        "the loss": loss,
        "the accuracy": accuracy,
        "'the model's weights and statistics changed'": not torch.equal(before, model.state()),
        "'gradients are recorded'": model.recorded,
        "the type of the weights": str(next(model.parameters()).dtype),
    }


EVALUATE = FunctionExercise(
    "evaluate(model, batches)",
    returns=FIGURES,
    reference=_evaluate,
    inputs=lambda draw: [
        (_batches(draw, 4), 3, draw.getrandbits(16), True),
        (_batches(draw, 8, 8, 3), 3, draw.getrandbits(16), True),
        (_batches(draw, 5, 1, classes=4), 5, draw.getrandbits(16), False),
    ],
    observe=_evaluation,
    shown=lambda batches, classes, seed, train: (
        f"a model in {'training' if train else 'evaluation'} mode, batches of {[len(y) for _, y in batches]} images"
    ),
    mistakes=[
        Mistake(
            "train mode",
            [partial(_evaluate, train=mode, gradients=g) for mode in (True, None) for g in (True, False)],
            "Batch normalisation still uses the batch's own statistics: which mode is the model in?",
        ),
        Mistake(
            "softmax",
            partial(_evaluate, scores=lambda logits: logits.softmax(dim=1)),
            "F.cross_entropy takes logits and applies the softmax itself: yours is applied twice.",
        ),
        Mistake(
            "batch mean",
            [
                _by_batches(_mean_of_batches, _mean_of_batches),
                _by_batches(_mean_of_batches, _mean),
                _by_batches(_mean, _mean_of_batches),
            ],
            "Batches differ in size, yet they all count the same in your mean: weight them by their images.",
        ),
        Mistake(
            "records gradients",
            partial(_evaluate, gradients=True),
            "The numbers are right, but gradients are recorded, which nobody needs: see torch.no_grad().",
        ),
        Mistake("swapped", _then(lambda a, b, n: (b, a)), "Loss first, then accuracy."),
        Mistake(
            "percent",
            _then(lambda a, b, n: (a, 100 * b)),
            "Return the accuracy as a share, not in percent.",
        ),
        Mistake("error", _then(lambda a, b, n: (a, 1 - b)), "That is the share of wrong answers."),
        Mistake(
            "count", _then(lambda a, b, n: (a, b * n)), "Divide the number of right answers by the images."
        ),
        Mistake(
            "sum",
            [_then(lambda a, b, n: (a * n, b)), _then(lambda a, b, n: (a * n, b * n))],
            "The loss is the sum over all images. Divide it by their number.",
        ),
        Mistake(
            "divided twice",
            partial(
                _evaluate,
                reduce=lambda f: (sum(loss for _, loss, _ in f) / sum(n for n, _, _ in f), _mean(f)[1]),
            ),
            "F.cross_entropy gives a batch's mean. Multiply it by the batch's size before you add it up.",
        ),
        Mistake(
            "one batch",
            [
                partial(_evaluate, reduce=lambda f: _mean(f[-1:])),
                partial(_evaluate, reduce=lambda f: _mean(f[:1])),
            ],
            "Your numbers are those of one batch. Add up over all batches.",
        ),
        Mistake(
            "read twice",
            [_then(lambda a, b, n: (a, 0.0)), _then(lambda a, b, n: (0.0, b))],
            "One of your numbers is 0. Is there a second loop? `batches` can be read only once.",
        ),
    ],
)


def _read_table(value: Any) -> Tensor:
    """Return a table of counts as a tensor; it may be anything that `torch.as_tensor` takes, as in the lab."""
    table = value if isinstance(value, Tensor) else attempt(torch.as_tensor, value)
    if isinstance(table, Raised):
        raise Unsuitable(f"Expected a table of counts, with one row per class; got {kind_of(value)}.")
    return tensor("a table of counts")(table)


def _confusion(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return a (classes, classes) table of counts; row: true class, column: predicted class."""
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)


def _changed(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor, int], Tensor]:
    return lambda predicted, labels, classes: change(_confusion(predicted, labels, classes))


def _of_size(size: Callable[[Tensor, Tensor], int]) -> Callable[[Tensor, Tensor, int], Any]:
    def confusion(predicted: Tensor, labels: Tensor, classes: int) -> Any:
        shape = 2 * [size(predicted, labels)]
        return torch.zeros(shape).index_put_((labels, predicted), torch.tensor(1.0), accumulate=True)

    return confusion


def _that_occur(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    places = torch.cat([predicted, labels]).unique()
    return _confusion(predicted, labels, classes)[places][:, places]


def _once(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    return (_confusion(predicted, labels, classes) > 0).long()


def _pairs(draw: Random, images: int, classes: int, occurring: int) -> tuple[Tensor, Tensor, int]:
    predicted, labels = (torch.tensor([draw.randrange(occurring) for _ in range(images)]) for _ in range(2))
    return predicted, labels, classes


CONFUSION = FunctionExercise(
    "confusion(predicted, labels, classes)",
    returns=_read_table,
    reference=_confusion,
    inputs=lambda draw: [
        (torch.tensor([0, 1, 1, 1, 0]), torch.tensor([0, 0, 0, 1, 0]), 2),
        _pairs(draw, 30, 3, 3),
        _pairs(draw, 12, 6, 4),
        (torch.tensor([4, 0, 0, 4]), torch.tensor([0, 2, 2, 0]), 6),
    ],
    mistakes=[
        Mistake("transposed", _changed(Tensor.t), "A row is a true class, and a column a predicted one."),
        Mistake(
            "shares",
            [
                _changed(lambda table: table / table.sum(1, keepdim=True)),
                _changed(lambda table: F.normalize(table.double(), p=1, dim=1)),
                _changed(lambda table: table / table.sum(0, keepdim=True)),
                _changed(lambda table: F.normalize(table.double(), p=1, dim=0)),
                _changed(lambda table: table / table.sum()),
            ],
            "Those are shares. Return counts, so that small classes show as small.",
        ),
        Mistake(
            "mistakes only",
            _changed(lambda table: table - table.diag().diag()),
            "The diagonal is empty: count right answers, too.",
        ),
        Mistake("hits only", _changed(lambda table: table.diag().diag()), "You count right answers only."),
        Mistake(
            "once",
            _once,
            "Each pair counts once at most. `table[rows, columns] += 1` adds only one for repeated indices.",
        ),
        Mistake(
            "too small",
            [
                _that_occur,
                lambda predicted, labels, classes: F.one_hot(labels).T @ F.one_hot(predicted),
                _of_size(lambda predicted, labels: int(labels.max()) + 1),
                _of_size(lambda predicted, labels: int(torch.cat([predicted, labels]).max()) + 1),
                _of_size(lambda predicted, labels: len(labels.unique())),
            ],
            "The table has `classes` rows and columns, also where a class does not occur among the images.",
        ),
    ],
)


def _listed(
    logits: Tensor,
    labels: Tensor,
    most: int,
    score: Callable[[Tensor, Tensor], Tensor] = lambda logits, labels: (
        logits.softmax(dim=1).max(dim=1).values
    ),
    keep: Callable[[Tensor, Tensor], Tensor] = torch.ne,
) -> Tensor:
    """Return the positions of the `most` most confident wrong answers, the most confident first."""
    among = keep(logits.argmax(dim=1), labels).nonzero().flatten()
    return among[score(logits, labels)[among].argsort(descending=True)][:most]


def _by(score: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, int], Tensor]:
    return partial(_listed, score=score)


def _confidence(logits: Tensor, labels: Tensor, sign: int = 1) -> Tensor:
    return sign * logits.softmax(dim=1).max(dim=1).values


def _of_truth(logits: Tensor, labels: Tensor, sign: int = 1) -> Tensor:
    return sign * logits.softmax(dim=1).gather(1, labels[:, None]).flatten()


def _positions(logits: Tensor, labels: Tensor, most: int) -> Tensor:
    wrong = logits.argmax(dim=1) != labels
    return _confidence(logits, labels)[wrong].argsort(descending=True)[:most]


def _top(logits: Tensor, labels: Tensor, most: int) -> Tensor:
    wrong = (logits.argmax(dim=1) != labels).nonzero().flatten()
    return wrong[_confidence(logits, labels)[wrong].topk(most).indices]


def _answers(draw: Random, images: int, most: int, classes: int = 3) -> tuple[Tensor, Tensor, int]:
    """Draw logits (N, K), labels (N,), about half of them predicted, and a number of mistakes to list."""
    logits = 2 * normal(draw, images, classes) * normal(draw, images, 1).abs()
    logits += 5 * normal(draw, images, 1)  # softmax does not see this, and raw logits do
    guesses = logits.argmax(dim=1)
    wrong = [(int(guess) + draw.randrange(1, classes)) % classes for guess in guesses]
    return (
        logits,
        torch.where(torch.arange(images) % 2 == draw.randrange(2), guesses, torch.tensor(wrong)),
        most,
    )


CONFIDENT_MISTAKES = FunctionExercise(
    "confident_mistakes(logits, labels, most)",
    returns=numbers("the positions of the mistakes"),
    reference=_listed,
    inputs=lambda draw: [
        (torch.tensor([[2.0, 0, 0], [0, 3, 1], [0, 0, 1]]), torch.tensor([0, 0, 1]), 2),
        _answers(draw, 2, 2),
        _answers(draw, 8, 2),
        _answers(draw, 30, 5, classes=4),
        _answers(draw, 6, 24),
    ],
    mistakes=[
        Mistake(
            "ascending",
            _by(partial(_confidence, sign=-1)),
            "Those are the least confident mistakes. Sort the other way.",
        ),
        Mistake(
            "right ones",
            partial(_listed, keep=lambda predicted, labels: labels >= 0),
            "Right answers are among them: keep only those where predicted != labels.",
        ),
        Mistake(
            "only right ones",
            partial(_listed, keep=torch.eq),
            "Those are right answers: keep the wrong ones.",
        ),
        Mistake(
            "logits",
            _by(lambda logits, labels: logits.max(dim=1).values),
            "Logits of different images cannot be compared: confidence is a softmax probability.",
        ),
        Mistake(
            "positions",
            _positions,
            "Those positions count within the mistakes. Use them to index the positions among all images.",
        ),
        Mistake(
            "probability of the truth",
            [_by(_of_truth), _by(partial(_of_truth, sign=-1))],
            "You sort by the probability of the true class. Sort by that of the predicted one.",
        ),
        Mistake(
            "not sorted",
            _by(lambda logits, labels: -torch.arange(len(labels))),
            "Those are the first mistakes, in order of position. Return the most confident ones.",
        ),
        Mistake(
            "not cut",
            lambda logits, labels, most: _listed(logits, labels, len(labels)),
            "Return only `most` of them.",
        ),
        Mistake(
            "too few",
            _top,
            "It stops with an error where there are fewer than `most` mistakes. Return those there are.",
        ),
    ],
)

EXERCISES = (FIRST_LOSS, TRAIN_STEP, EVALUATE, CONFUSION, CONFIDENT_MISTAKES)
