"""Exercises of lab 3: train VGG-16 on CIFAR-3."""

from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepernets.course.exercises.judging import FunctionExercise, Mistake, Symptom, every
from deepernets.course.exercises.values import (
    SHOWN_ENTRIES,
    FindCalls,
    Raised,
    Unsuitable,
    attempt,
    kind_of,
    normal,
    number,
    numbers,
    show,
    tensor,
)


def _crop_and_flip(  # noqa: PLR0913, since the mistakes are made of its parts
    images: Tensor,
    pad: int,
    offsets: Tensor,
    flips: Tensor,
    fill: str = "constant",
    flip_dims: tuple[int, ...] = (2,),
    flip_first: bool = False,
    padding: Callable[[int], tuple[int, int, int, int]] = lambda pad: (pad, pad, pad, pad),
) -> Tensor:
    """Return every image cropped out of its padded self at its own offset, and mirrored where `flips` says so."""
    height, width = images.shape[2:]
    padded = F.pad(images, padding(pad), mode=fill)
    results = []
    for image, (top, left), flip in zip(padded, offsets.tolist(), flips.tolist(), strict=True):
        source = image.flip(flip_dims) if flip and flip_first else image
        crop = source[:, top : top + height, left : left + width]
        results.append(crop.flip(flip_dims) if flip and not flip_first else crop)
    return torch.stack(results)


def _crops(draw: Random, shape: tuple[int, ...], pad: int) -> tuple[Tensor, int, Tensor, Tensor]:
    """Draw a batch, and an offset and a flip for each image; corners and both kinds of flips are among them."""
    count = shape[0]
    offsets = [[0, 2 * pad], [2 * pad, pad - 1], [pad + 1, 0]]
    offsets += [[draw.randint(0, 2 * pad), draw.randint(0, 2 * pad)] for _ in range(count)]
    flips = [True, False, True] + [draw.random() < 0.5 for _ in range(count)]
    return normal(draw, *shape), pad, torch.tensor(offsets[:count]), torch.tensor(flips[:count])


def _moved(
    change: Callable[[Tensor, int, Tensor, Tensor], tuple[int, Tensor, Tensor]],
) -> Callable[..., Tensor]:
    return lambda images, *moves: _crop_and_flip(images, *change(images, *moves))


CROP_AND_FLIP = FunctionExercise(
    "crop_and_flip(images, pad, offsets, flips)",
    returns=tensor("the batch, (N, C, H, W)"),
    reference=_crop_and_flip,
    inputs=lambda draw: [
        (torch.arange(1.0, 5).view(1, 1, 2, 2), 1, torch.tensor([[0, 1]]), torch.tensor([False])),
        (
            torch.arange(1.0, 7).view(2, 1, 1, 3),
            1,
            torch.tensor([[1, 1], [1, 0]]),
            torch.tensor([True, False]),
        ),
        _crops(draw, (5, 3, 4, 6), 2),
        _crops(draw, (4, 1, 5, 5), 1),
        _crops(draw, (3, 2, 6, 4), 3),
    ],
    keeps_inputs=True,
    mistakes=[
        Mistake(
            "not mirrored",
            _moved(lambda x, pad, offsets, flips: (pad, offsets, flips & False)),
            "The crops are right. No image is mirrored.",
        ),
        Mistake(
            "all mirrored",
            _moved(lambda x, pad, offsets, flips: (pad, offsets, flips | True)),
            "You mirror all images. Each one has its own entry in `flips`.",
        ),
        Mistake(
            "the others mirrored",
            _moved(lambda x, pad, offsets, flips: (pad, offsets, ~flips)),
            "You mirror the images whose entry in `flips` is False.",
        ),
        Mistake(
            "upside down",
            partial(_crop_and_flip, flip_dims=(1,)),
            "You reverse the rows, which turns images upside down. Reverse the columns.",
        ),
        Mistake(
            "half a turn",
            partial(_crop_and_flip, flip_dims=(1, 2)),
            "You reverse rows and columns. Reverse the columns only.",
        ),
        Mistake(
            "channels", partial(_crop_and_flip, flip_dims=(0,)), "You reverse the channels, not the columns."
        ),
        Mistake(
            "mirrored first",
            partial(_crop_and_flip, flip_first=True),
            "You mirror before you crop, so `left` counts from the wrong side. Crop first.",
        ),
        Mistake(
            "row and column exchanged",
            _moved(lambda x, pad, offsets, flips: (pad, offsets.flip(1), flips)),
            "You exchange the two entries of an offset: the first is the row (top), the second the column (left).",
        ),
        Mistake(
            "one offset",
            [
                _moved(lambda x, pad, offsets, flips: (pad, offsets[:1].expand(len(x), 2), flips)),
                _moved(lambda x, pad, offsets, flips: (pad, offsets[-1:].expand(len(x), 2), flips)),
            ],
            "All images get the same offset. Each one has its own row of `offsets`.",
        ),
        Mistake(
            "moved the other way",
            _moved(lambda x, pad, offsets, flips: (pad, 2 * pad - offsets, flips)),
            "The images move the wrong way: (0, 0) is the top left corner of the *padded* image.",
        ),
        Mistake(
            "always the middle",
            [
                _moved(lambda x, pad, offsets, flips: (pad, torch.full_like(offsets, pad), flips)),
                lambda images, pad, offsets, flips: images,
            ],
            "The crop is the image as it was: `offsets` is not used.",
        ),
        Mistake(
            "always the corner",
            _moved(lambda x, pad, offsets, flips: (pad, torch.zeros_like(offsets), flips)),
            "Each crop starts at the corner of the padded image: `offsets` is not used.",
        ),
        Mistake(
            "padding",
            [partial(_crop_and_flip, fill=fill) for fill in ("replicate", "reflect", "circular")],
            "The places are right. The border must be zeros, not a continuation of the image.",
        ),
        Mistake(
            "padded on one side",
            [
                partial(_crop_and_flip, padding=lambda pad: (0, 2 * pad, 0, 2 * pad)),
                partial(_crop_and_flip, padding=lambda pad: (2 * pad, 0, 2 * pad, 0)),
            ],
            "You pad on one side only. There are `pad` pixels on each of the four sides.",
        ),
        Mistake(
            "not cut",
            lambda images, pad, offsets, flips: F.pad(images, (pad, pad, pad, pad)),
            "Those are the padded images. Cut H × W pixels out of each.",
        ),
        Mistake(
            "batch reversed",
            _moved(lambda x, pad, offsets, flips: (pad, offsets.flip(0), flips)),
            "Images and offsets are not in the same order.",
        ),
    ],
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


def _in_mode(train: bool) -> Callable[..., Any]:
    return lambda model, *others: _step(model.train(train), *others)


def _two_steps(which: int) -> Callable[..., Any]:
    """Return two steps on each batch, with the loss of the one or of the other."""
    return lambda *arguments: (_step(*arguments), _step(*arguments))[which]


def _by_hand(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Any, optimizer: torch.optim.Optimizer
) -> Any:
    """Subtract the learning rate times the gradient, whatever the optimizer is."""
    loss = criterion(model(images), labels)
    parameters = list(model.parameters())
    slopes = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter.sub_(optimizer.param_groups[0]["lr"] * slope)
    return loss.item()


def _image_by_image(model: nn.Module, images: Tensor, labels: Tensor, *others: Any) -> Any:
    losses = [_step(model, images[i : i + 1], labels[i : i + 1], *others) for i in range(len(images))]
    return sum(losses) / len(losses)


def _loss_afterwards(model: nn.Module, images: Tensor, labels: Tensor, criterion: Any, optimizer: Any) -> Any:
    _step(model, images, labels, criterion, optimizer)
    return criterion(model(images), labels).item()


LOSS = number("the loss of the batch")


def _train(
    function: Callable[..., Any], kind: str, batches: list[Batch], seed: int, normalised: bool, train: bool
) -> Any:
    """Return what some steps, one on each batch, return and leave behind."""
    model = _Watched(normalised, 3, seed).train(train)
    optimizer = OPTIMIZERS[kind](model.parameters())
    calls: list[None] = []
    optimizer.register_step_post_hook(lambda *_: calls.append(None))
    seen: dict[str, Any] = {}
    for place, (images, labels) in enumerate(batches, 1):
        loss = function(model, images, labels, nn.CrossEntropyLoss(), optimizer)
        seen[f"the loss of step {place}"] = LOSS(loss)
        seen[f"'the model is in training mode' after step {place}"] = model.training
        seen[f"the number of calls of optimizer.step() after step {place}"] = len(calls)
        seen[f"the weights and statistics after step {place}"] = tensor("the weights")(model.state())
        seen[f"the type of the weights after step {place}"] = str(next(model.parameters()).dtype)
        seen[f"'the loss keeps its graph' after step {place}"] = getattr(loss, "requires_grad", False)
    return seen


TRAIN_STEP = FunctionExercise(
    "train_step(model, images, labels, criterion, optimizer)",
    returns=LOSS,
    reference=_step,
    inputs=lambda draw: [
        ("SGD with momentum", _batches(draw, 4), draw.getrandbits(16), False, True),
        ("SGD with momentum", _batches(draw, 8, 8, 5), draw.getrandbits(16), True, True),
        ("Adam", _batches(draw, 6, 6), draw.getrandbits(16), True, True),
        ("Adam", _batches(draw, 5), draw.getrandbits(16), True, False),
    ],
    observe=_train,
    shown=lambda kind, batches, seed, normalised, train: (
        f"a model with{'' if normalised else 'out'} batch normalisation in {'training' if train else 'evaluation'} "
        f"mode, batches of {[len(labels) for _, labels in batches]} images in turn, {kind}"
    ),
    tries=1,
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
            _in_mode(False),
            "Your step puts the model into evaluation mode. Leave the mode as it is.",
        ),
        Mistake(
            "training mode",
            _in_mode(True),
            "Your step puts the model into training mode. Leave the mode as it is: layers may be frozen.",
        ),
        Mistake("two steps", [_two_steps(0), _two_steps(1)], "You take two steps on each batch."),
        Mistake(
            "by hand",
            _by_hand,
            "You subtract the gradients yourself. Call the optimizer's step(): it may have momentum, or be Adam.",
        ),
        Mistake(
            "image by image",
            _image_by_image,
            "You take one step for each image. Take one step for the batch.",
        ),
        Mistake(
            "sum",
            lambda model, images, *others: len(images) * _step(model, images, *others),
            "The step is right, but you return the sum over the images. Return their mean, as `criterion` does.",
        ),
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


def _of_batch(place: int, figures: list[Any]) -> tuple[float, float]:
    return _mean([figures[place]])


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
        (_batches(draw, 8, 9, 6), 3, draw.getrandbits(16), True),
        (_batches(draw, 7, 3, classes=4), 5, draw.getrandbits(16), False),
    ],
    observe=_evaluation,
    tries=2,
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
            [
                partial(_evaluate, scores=lambda logits: logits.softmax(dim=1), gradients=gradients)
                for gradients in (False, True)
            ],
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
                _by_batches(*(partial(_of_batch, place) if one else _mean for one in which))
                for place in (-1, 0)
                for which in ((True, True), (True, False), (False, True))
            ],
            "One of your numbers, or both, are those of one batch. Add up over all batches.",
        ),
        Mistake(
            "read twice",
            [_then(lambda a, b, n: (a, 0.0)), _then(lambda a, b, n: (0.0, b))],
            "One of your numbers is 0. `batches` can be read only once: is there a second loop? Or do you use //?",
        ),
        Symptom(
            "gradients, too",
            every(
                lambda outcome: (
                    outcome["'gradients are recorded'"]
                    and not outcome["'the model's weights and statistics changed'"]
                )
            ),
            "Gradients are recorded, which nobody needs: see torch.no_grad(). Something else is wrong as well.",
        ),
    ],
)


Normalised = tuple[Tensor, Tensor, Tensor]  # the output, the running mean and the running variance
MOMENTUM, EPS = 0.1, 1e-5


def _batch_norm(  # noqa: PLR0913, since the mistakes are made of its parts
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    training: bool,
    *,
    dims: tuple[int, ...] = (0, 2, 3),
    corrections: tuple[int, int] = (0, 1),
    momentum: float = MOMENTUM,
    eps: float = EPS,
    root: Callable[[Tensor], Tensor] = torch.sqrt,
    kept: Callable[[Tensor], Tensor] = lambda variance: variance,
    by_batch: tuple[bool, bool] = (True, False),
    updates: tuple[bool, bool] = (True, False),
) -> Normalised:
    """Normalise each channel of a batch, and return the running statistics as well.

    Args:
        x: (N, C, H, W), like the five arguments after it as in the exercise.
        scale: (C,).
        shift: (C,).
        running_mean: (C,).
        running_var: (C,).
        training: The mode.
        dims: Over which dimensions mean and variance are computed.
        corrections: What is subtracted from n in the variance that normalises, and in the running one.
        momentum: The weight of the new statistics in the running ones.
        eps: Added to the variance.
        root: From variance to standard deviation.
        kept: From the batch's variance to what the running one is made of.
        by_batch: Whether the batch's statistics normalise in training and in evaluation mode.
        updates: Whether the running statistics change in training and in evaluation mode.
    """

    def spread(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1) if values.dim() == 1 else values

    mean = x.mean(dims, keepdim=dims != (0, 2, 3))
    variance, wider = (x.var(dims, correction=n, keepdim=dims != (0, 2, 3)) for n in corrections)
    mode = 0 if training else 1
    used = (mean, variance) if by_batch[mode] else (running_mean, running_var)
    y = (x - spread(used[0])) / root(spread(used[1]) + eps) * spread(scale) + spread(shift)
    if updates[mode]:
        new_mean, new_var = (
            v if dims == (0, 2, 3) else v.broadcast_to(x.shape).mean((0, 2, 3)) for v in (mean, kept(wider))
        )
        running_mean = (1 - momentum) * running_mean + momentum * new_mean
        running_var = (1 - momentum) * running_var + momentum * new_var
    return y, running_mean, running_var


def _read_normalised(value: Any) -> dict[str, Tensor]:
    names = ("the output", "the running mean", "the running variance")
    if not isinstance(value, list | tuple) or len(value) != len(names):
        count = f" of {len(value)}" if isinstance(value, list | tuple) else ""
        raise Unsuitable(f"Expected three tensors, {', '.join(names)}; got {kind_of(value)}{count}.")
    return {name: tensor(name)(entry) for name, entry in zip(names, value, strict=True)}


FEW_NUMBERS = tuple(  # x with two images, the second channel nearly constant, and the other arguments
    torch.tensor(numbers)
    for numbers in (
        [[[[0.0, 2]], [[0.1, 0.12]]], [[[4.0, 6]], [[0.1, 0.08]]]],
        *([2.0, 3], [1.0, 4], [1.0, 0.05], [2.0, 1e-4]),
    )
)


def _to_normalise(draw: Random, training: bool, *shape: int) -> tuple[Any, ...]:
    """Draw a batch whose channels differ, one of them nearly constant, and the other arguments."""
    channels = shape[1]
    spread = torch.tensor([0.01] + [draw.uniform(0.5, 3) for _ in range(channels - 1)])
    middle = torch.tensor([0.1] + [draw.uniform(1, 3) for _ in range(channels - 1)])
    x = normal(draw, *shape) * spread[:, None, None] + middle[:, None, None]
    scale, shift, mean = (normal(draw, channels) + 2 for _ in range(3))
    return x, scale, shift, mean, normal(draw, channels).abs() + 0.5, training


def _changed_output(
    change: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
) -> Callable[..., Normalised]:
    """Return a normalisation whose output is made of the normalised x, x itself, scale and shift."""

    def normalise(x: Tensor, scale: Tensor, shift: Tensor, *others: Any) -> Normalised:
        plain, *running = _batch_norm(x, torch.ones_like(scale), torch.zeros_like(shift), *others)
        y = change(plain, x, scale.view(-1, 1, 1), shift.view(-1, 1, 1))
        return y, running[0], running[1]

    return normalise


def _running_first(
    x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, training: bool
) -> Normalised:
    """Normalise by the running statistics after their update."""
    _, mean, variance = _batch_norm(x, scale, shift, mean, variance, training)
    y, _, _ = _batch_norm(x, scale, shift, mean, variance, training=False)
    return y, mean, variance


def _output_over(*dims: int) -> list[Callable[..., Normalised]]:
    """Return normalisations over wrong dimensions, of the output and of the running statistics or not of these."""
    wrong = partial(_batch_norm, dims=dims)
    return [wrong, lambda *call: (wrong(*call)[0], *_batch_norm(*call)[1:])]


def _images_counted(x: Tensor, *others: Any) -> Normalised:
    """Correct the running variance by the number of images."""
    count = len(x)
    return _batch_norm(x, *others, corrections=(0, 0), kept=lambda variance: variance * count / (count - 1))


def _observe_normalisation(function: Callable[..., Any], *call: Any) -> dict[str, Tensor]:
    with FindCalls("batch_norm") as layers:
        read = _read_normalised(function(*call))
    if layers.found:
        raise Unsuitable(
            "You call PyTorch's own batch normalisation. Compute the statistics and the output yourself."
        )
    return read


def _shown_normalisation(*call: Any) -> str:
    if call[0].numel() > SHOWN_ENTRIES:
        return f"x of shape {tuple(call[0].shape)}, …, training={call[-1]}"
    names = ("x", "scale", "shift", "running_mean", "running_var", "training")
    return ", ".join(f"{name}={show(value)}" for name, value in zip(names, call, strict=True))


def _exchange_running(*call: Any) -> Normalised:
    y, mean, variance = _batch_norm(*call)
    return y, variance, mean


BATCH_NORM = FunctionExercise(
    "batch_norm(x, scale, shift, running_mean, running_var, training)",
    returns=_read_normalised,
    reference=_batch_norm,
    inputs=lambda draw: [
        (*FEW_NUMBERS, True),
        (*FEW_NUMBERS, False),
        _to_normalise(draw, True, 5, 3, 2, 3),
        _to_normalise(draw, False, 5, 3, 2, 3),
        _to_normalise(draw, True, 3, 4, 1, 1),
    ],
    observe=_observe_normalisation,
    shown=_shown_normalisation,
    tolerance=5e-4,
    keeps_inputs=True,
    tries=1,
    mistakes=[
        Mistake(
            "biased running variance",
            partial(_batch_norm, corrections=(0, 0)),
            "The output is right. The running variance takes the unbiased variance of the batch.",
        ),
        Mistake(
            "unbiased output",
            partial(_batch_norm, corrections=(1, 1)),
            "The running variance is right. The output is normalised by the biased variance.",
        ),
        Mistake(
            "images counted",
            _images_counted,
            "The n of the unbiased variance counts all values of a channel, N · H · W, not the images.",
        ),
        Mistake(
            "variances exchanged",
            partial(_batch_norm, corrections=(1, 0)),
            "You exchange the two variances: biased for the output, unbiased for the running one.",
        ),
        Mistake(
            "momentum exchanged",
            [partial(_batch_norm, momentum=0.9, corrections=(0, n)) for n in (1, 0)],
            "The weights are exchanged: nine tenths of the running statistics are kept.",
        ),
        Mistake(
            "replaced",
            partial(_batch_norm, momentum=1.0),
            "The batch's statistics replace the running ones. Average the two with the momentum.",
        ),
        Mistake(
            "never updated",
            partial(_batch_norm, updates=(False, False)),
            "The output is right in both modes. In training mode the running statistics must change.",
        ),
        Mistake(
            "updated in evaluation",
            [
                partial(_batch_norm, updates=(True, True), by_batch=by_batch)
                for by_batch in ((True, False), (True, True), (False, False))
            ],
            "Your running statistics also change in evaluation mode. They must stay as they are.",
        ),
        Mistake(
            "modes exchanged",
            [
                lambda x, a, b, m, v, training: _batch_norm(x, a, b, m, v, not training),
                partial(_batch_norm, by_batch=(False, True)),
            ],
            "Your modes are exchanged: in training mode the batch's own statistics normalise.",
        ),
        Mistake(
            "batch in evaluation",
            partial(_batch_norm, by_batch=(True, True)),
            "In evaluation mode the output must not depend on the batch: use the running statistics.",
        ),
        Mistake(
            "running in training",
            [
                partial(_batch_norm, by_batch=(False, False)),
                partial(_batch_norm, by_batch=(False, False), updates=(False, False)),
                _running_first,
            ],
            "In training mode the batch's own mean and variance normalise, not the running ones.",
        ),
        Mistake(
            "divided by the variance",
            partial(_batch_norm, root=lambda v: v),
            "You divide by the variance. Divide by its square root.",
        ),
        Mistake(
            "running standard deviation",
            partial(_batch_norm, kept=torch.sqrt),
            "You average the standard deviation. The running value is a variance.",
        ),
        Mistake(
            "epsilon outside",
            [
                partial(_batch_norm, eps=0.0),
                partial(_batch_norm, eps=0.0, root=lambda v: v.sqrt() + EPS),
                *(partial(_batch_norm, eps=eps) for eps in (1e-3, 1e-4, 1e-6)),
                lambda *call: _batch_norm(*call, eps=EPS if call[-1] else 0.0),
            ],
            "One channel is nearly constant, and you scale it wrongly: in both modes, add 1e-5 to the "
            "variance before the root.",
        ),
        Mistake(
            "not scaled",
            _changed_output(lambda plain, x, scale, shift: plain),
            "You return the normalised x. Scale and shift it: both are parameters of the layer.",
        ),
        Mistake(
            "scale and shift exchanged",
            [
                _changed_output(lambda plain, x, scale, shift: plain * shift + scale),
                _changed_output(lambda plain, x, scale, shift: (plain + shift) * scale),
            ],
            "Multiply by the scale first, then add the shift.",
        ),
        Mistake(
            "scale only",
            [
                _changed_output(lambda plain, x, scale, shift: plain * scale),
                _changed_output(lambda plain, x, scale, shift: plain + shift),
            ],
            "Scale and shift both belong to the output. You apply one of them.",
        ),
        Mistake(
            "order",
            _exchange_running,
            "Return the running mean before the running variance.",
        ),
        Mistake(
            "each image alone",
            _output_over(2, 3),
            "You normalise each image alone. The mean of a channel is over all images and positions.",
        ),
        Mistake(
            "each position alone",
            _output_over(0),
            "You normalise each position alone. The mean of a channel is over all images and positions.",
        ),
        Mistake(
            "across channels",
            [*_output_over(0, 1, 2, 3), *_output_over(1, 2, 3), *_output_over(1)],
            "Channels are mixed. Each one has a mean and a variance of its own.",
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
        (torch.tensor([[2.0, 0], [0, 3], [1, 0], [0, 1]]), torch.tensor([1, 0, 0, 1]), 2),
        (
            torch.tensor([[2, 1.5, 1.4], [4, 3.9, -3]]),
            torch.tensor([1, 1]),
            1,
        ),  # the second one leads by less
        _answers(draw, 2, 2),
        _answers(draw, 8, 2),
        _answers(draw, 30, 7, classes=4),
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
            "margin",
            _by(lambda logits, labels: logits.softmax(1).topk(2).values @ torch.tensor([1.0, -1])),
            "You sort by the lead over the second class. Sort by the probability of the predicted one.",
        ),
        Mistake(
            "over images",
            _by(lambda logits, labels: logits.softmax(0).max(dim=1).values),
            "Your softmax runs over the images. It belongs to the classes, dim=1.",
        ),
        Mistake(
            "by position",
            lambda *call: _listed(*call).sort().values,
            "The right mistakes, but in order of position. The most confident one comes first.",
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
            "kept too late",
            lambda logits, labels, most: [
                place
                for place in _listed(
                    logits, labels, most, keep=lambda predicted, labels: labels >= 0
                ).tolist()
                if logits[place].argmax() != labels[place]
            ],
            "You take the `most` most confident answers, then the wrong ones of these. Keep the wrong ones first.",
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


def _top_k_error(
    logits: Tensor,
    labels: Tensor,
    k: int,
    result: Callable[[Tensor], Any] = lambda wrong: wrong.double().mean(),
) -> Any:
    """Return the share of images whose class is not among the k likeliest; `result` takes a bool for each."""
    return result((logits.topk(k, dim=1).indices != labels[:, None]).all(dim=1))


def _unsorted_logits(draw: Random, images: int, classes: int, k: int) -> tuple[Tensor, Tensor, int]:
    """Draw logits and labels such that the true class has each rank, and some ranks more often than others."""
    logits = 5 * normal(draw, images, classes)
    ranks = torch.tensor([*range(classes), *draw.choices(range(classes), k=images - classes)])
    labels = logits.argsort(dim=1, descending=True)[torch.arange(images), ranks]
    order = torch.tensor(draw.sample(range(images), images))
    return logits[order], labels[order], k


TOP_K_ERROR = FunctionExercise(
    "top_k_error(logits, labels, k)",
    returns=number("the share of images"),
    reference=_top_k_error,
    inputs=lambda draw: [
        (torch.tensor([[0.5, 2, 1], [3, -1, 0]]), torch.tensor([2, 1]), 2),
        _unsorted_logits(draw, 11, 6, 1),
        _unsorted_logits(draw, 19, 8, 5),
        _unsorted_logits(draw, 9, 4, 3),
        _unsorted_logits(draw, 7, 5, 5),
    ],
    mistakes=[
        Mistake(
            "accuracy",
            partial(_top_k_error, result=lambda wrong: 1 - wrong.double().mean()),
            "That is the top-k accuracy. The error is the share of the other images.",
        ),
        Mistake(
            "percent",
            partial(_top_k_error, result=lambda wrong: 100 * wrong.double().mean()),
            "Return a share between 0 and 1, not percent.",
        ),
        Mistake(
            "count",
            [
                partial(_top_k_error, result=lambda wrong: wrong.sum()),
                partial(_top_k_error, result=lambda wrong: (~wrong).sum()),
            ],
            "That is a number of images. Divide it by that of all images.",
        ),
        Mistake(
            "top 1",
            lambda logits, labels, k: _top_k_error(logits, labels, 1),
            "That is the top-1 error. The true class may be any of the k most likely ones.",
        ),
        Mistake(
            "off by one",
            [
                lambda logits, labels, k: _top_k_error(logits, labels, min(k + 1, logits.shape[1])),
                lambda logits, labels, k: _top_k_error(logits, labels, max(k - 1, 1)),
                lambda logits, labels, k: _top_k_error(logits, labels, k - 1),
            ],
            "Your number of classes per image is k + 1 or k - 1: count again.",
        ),
        Mistake(
            "least likely",
            lambda logits, labels, k: _top_k_error(-logits, labels, k),
            "Those are the k classes with the smallest logits.",
        ),
        Mistake(
            "k-th only",
            lambda logits, labels, k: (logits.topk(k).indices[:, -1] != labels).double().mean(),
            "You compare with the k-th class only. All k of them count.",
        ),
        Mistake(
            "per guess",
            [
                lambda logits, labels, k: (logits.topk(k).indices != labels[:, None]).double().mean(),
                lambda logits, labels, k: 1 - (logits.topk(k).indices == labels[:, None]).double().mean(),
            ],
            "You divide by N · k. Each image is one case: is its class among the k or not?",
        ),
        Mistake(
            "any guess",
            lambda logits, labels, k: (logits.topk(k).indices != labels[:, None]).any(dim=1).double().mean(),
            "An image counts as wrong as soon as one of the k classes is. It is wrong if all of them are.",
        ),
        Mistake(
            "values",
            lambda logits, labels, k: (logits.topk(k).values != labels[:, None]).all(dim=1).double().mean(),
            "You compare labels with logits. `topk` returns both: the values and the class numbers (indices).",
        ),
        Mistake(
            "always five",
            lambda logits, labels, k: _top_k_error(logits, labels, min(5, logits.shape[1])),
            "Your k is always 5. Use the argument.",
        ),
    ],
)

EXERCISES = (
    CROP_AND_FLIP,
    TRAIN_STEP,
    EVALUATE,
    BATCH_NORM,
    CONFUSION,
    TOP_K_ERROR,
    CONFIDENT_MISTAKES,
)
