"""The answers that students of lab 3 really give: the right ones pass, each wrong one gets its own hint."""

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


def step_by_hand(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    loss = criterion(model(images), labels)
    loss.backward()
    for parameter in model.parameters():
        parameter.data -= optimizer.param_groups[0]["lr"] * parameter.grad
    optimizer.zero_grad()
    return loss.item()


def step_with_another_optimizer(
    model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any
) -> float:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return step_as_in_the_solution(model, images, labels, criterion, optimizer)


def step_image_by_image(model: Any, images: Any, labels: Any, criterion: Any, optimizer: Any) -> float:
    losses = [
        step_as_in_the_solution(model, image[None], label[None], criterion, optimizer)
        for image, label in zip(images, labels, strict=True)
    ]
    return sum(losses) / len(losses)


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


def evaluate_with_the_last_loss(model: Any, batches: Any) -> Any:
    pairs = list(batches)
    return evaluation()(model, pairs[-1:])[0], evaluation()(model, pairs)[1]


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
            "margin": probabilities.sort().values.diff()[:, -1],
            "over images": logits.softmax(dim=0).max(dim=1).values,
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


def mistakes_among_the_most_confident(logits: Any, labels: Any, most: int) -> Any:
    top = logits.softmax(dim=1).amax(dim=1).argsort(descending=True)[:most]
    return top[logits[top].argmax(dim=1) != labels[top]]


def crop_and_flip_by_slices(images: Any, pad: int, offsets: Any, flips: Any) -> Any:
    height, width = images.shape[2:]
    padded, out = F.pad(images, 4 * [pad]), torch.empty_like(images)
    for index, (top, left) in enumerate(offsets):
        out[index] = padded[index, :, top : top + height, left : left + width]
        if flips[index]:
            out[index] = out[index].flip(-1)
    return out


def crop_and_flip_by_gather(images: Any, pad: int, offsets: Any, flips: Any) -> Any:
    count, _, height, width = images.shape
    rows = offsets[:, :1] + torch.arange(height)
    columns = offsets[:, 1:] + torch.arange(width)
    columns = torch.where(flips[:, None], columns.flip(1), columns)
    padded = F.pad(images, 4 * [pad])
    place = torch.arange(count)[:, None, None]
    return padded[place, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def crop_and_flip_with(
    mode: str = "constant",
    dim: int | tuple[int, int] = 2,
    first: bool = False,
    pads: Any = lambda pad: 4 * [pad],
    place: Any = lambda top, left, pad: (top, left),
) -> Any:
    """Return a `crop_and_flip` with a mistake built in."""

    def crop_and_flip(images: Any, pad: int, offsets: Any, flips: Any) -> Any:
        height, width = images.shape[2:]
        out = []
        for image, offset, flip in zip(F.pad(images, pads(pad), mode=mode), offsets, flips, strict=True):
            top, left = place(int(offset[0]), int(offset[1]), pad)
            image = image.flip(dim) if first and flip else image
            image = image[:, top : top + height, left : left + width]
            out.append(image.flip(dim) if flip and not first else image)
        return torch.stack(out)

    return crop_and_flip


def crop_with_one_offset(images: Any, pad: int, offsets: Any, flips: Any) -> Any:
    return crop_and_flip_by_slices(images, pad, offsets[:1].repeat(len(images), 1), flips)


def crop_and_flip_in_place(images: Any, pad: int, offsets: Any, flips: Any) -> Any:
    images[flips] = images[flips].flip(3)
    return crop_and_flip_by_slices(images, pad, offsets, flips)


def norm_by_formula(x: Any, scale: Any, shift: Any, mean: Any, var: Any, training: bool) -> Any:
    if training:
        count = x.numel() / x.shape[1]
        batch_mean = x.mean(dim=(0, 2, 3))
        batch_var = ((x - batch_mean[:, None, None]) ** 2).mean(dim=(0, 2, 3))
        mean_used, var_used = batch_mean, batch_var
        mean = 0.9 * mean + 0.1 * batch_mean
        var = 0.9 * var + 0.1 * batch_var * count / (count - 1)
    else:
        mean_used, var_used = mean, var
    y = (x - mean_used[:, None, None]) / (var_used[:, None, None] + 1e-5) ** 0.5
    return scale[:, None, None] * y + shift[:, None, None], mean, var


def norm_by_torch(x: Any, scale: Any, shift: Any, mean: Any, var: Any, training: bool) -> Any:
    mean, var = mean.clone(), var.clone()
    return F.batch_norm(x, mean, var, scale, shift, training), mean, var


def norm_with(  # noqa: PLR0913
    output: bool = False,
    running: bool = True,
    weight: float = 0.1,
    eps: str = "inside",
    dims: tuple[int, ...] = (0, 2, 3),
    batch: Any = lambda training: training,
    update: Any = lambda training: training,
    result: Any = lambda y, mean, var: (y, mean, var),
) -> Any:
    """Return a `batch_norm` with a mistake built in; `output` and `running` say which variance is unbiased."""

    def batch_norm(x: Any, scale: Any, shift: Any, mean: Any, var: Any, training: bool) -> Any:
        m = x.mean(dims, keepdim=True).expand_as(x).mean((0, 2, 3), keepdim=True)
        v = x.var(dims, unbiased=output, keepdim=True) if batch(training) else var.view(1, -1, 1, 1)
        m = m if batch(training) else mean.view(1, -1, 1, 1)
        root = {
            "inside": (v + 1e-5).sqrt(),
            "outside": v.sqrt() + 1e-5,
            "none": v.sqrt(),
            "variance": v + 1e-5,
            "larger": (v + 1e-3).sqrt(),
            "of the batch": (v + (1e-5 if batch(training) else 0)).sqrt(),
        }
        y = (x - m) / root[eps] * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
        if update(training):
            mean = (1 - weight) * mean + weight * x.mean((0, 2, 3))
            var = (1 - weight) * var + weight * x.var((0, 2, 3), unbiased=running)
        return result(y, mean, var)

    return batch_norm


def norm_in_place(x: Any, scale: Any, shift: Any, mean: Any, var: Any, training: bool) -> Any:
    y, new_mean, new_var = norm_by_formula(x, scale, shift, mean, var, training)
    return y, mean.copy_(new_mean), var.copy_(new_var)


def norm_over_the_batch(x: Any, scale: Any, shift: Any, mean: Any, var: Any, training: bool) -> Any:
    right = norm_by_formula(x, scale, shift, mean, var, training)
    y = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * scale[:, None, None]
    return (y + shift[:, None, None], *right[1:]) if training else right


def norm_counting_images(x: Any, scale: Any, shift: Any, mean: Any, var: Any, training: bool) -> Any:
    y, new_mean, new_var = norm_by_formula(x, scale, shift, mean, var, training)
    if training:
        new_var = 0.9 * var + 0.1 * x.var((0, 2, 3), unbiased=False) * len(x) / (len(x) - 1)
    return y, new_mean, new_var


def norm_by_image(x: Any, scale: Any, shift: Any, mean: Any, var: Any, training: bool) -> Any:
    return F.instance_norm(x, None, None, scale, shift), mean, var


def norm_plain(x: Any, scale: Any, shift: Any, *others: Any) -> Any:
    return norm_by_formula(x, torch.ones_like(scale), torch.zeros_like(shift), *others)


def error_by_topk(logits: Any, labels: Any, k: int) -> float:
    hits = (logits.topk(k).indices == labels[:, None]).any(dim=1)
    return 1 - hits.double().mean().item()


def error_by_rank(logits: Any, labels: Any, k: int) -> float:
    wrong = 0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        ranked = sorted(range(len(row)), key=lambda place: -row[place])
        wrong += label not in ranked[:k]
    return wrong / len(labels)


RIGHT: list[tuple[str, Any]] = [
    ("crop_and_flip", crop_and_flip_by_slices),
    ("crop_and_flip", crop_and_flip_by_gather),
    ("batch_norm", norm_by_formula),
    ("batch_norm", norm_with()),
    ("top_k_error", error_by_topk),
    ("top_k_error", error_by_rank),
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
]
WRONG: list[tuple[str, str, Any]] = [
    (
        "crop_and_flip",
        "not mirrored",
        lambda x, pad, offsets, flips: crop_and_flip_by_slices(x, pad, offsets, flips & False),
    ),
    (
        "crop_and_flip",
        "all mirrored",
        lambda x, pad, offsets, flips: crop_and_flip_by_slices(x, pad, offsets, flips | True),
    ),
    (
        "crop_and_flip",
        "the others mirrored",
        lambda x, pad, offsets, flips: crop_and_flip_by_slices(x, pad, offsets, ~flips),
    ),
    ("crop_and_flip", "upside down", crop_and_flip_with(dim=1)),
    ("crop_and_flip", "half a turn", crop_and_flip_with(dim=(1, 2))),
    ("crop_and_flip", "channels", crop_and_flip_with(dim=0)),
    ("crop_and_flip", "mirrored first", crop_and_flip_with(first=True)),
    (
        "crop_and_flip",
        "row and column exchanged",
        crop_and_flip_with(place=lambda top, left, pad: (left, top)),
    ),
    ("crop_and_flip", "one offset", crop_with_one_offset),
    (
        "crop_and_flip",
        "moved the other way",
        crop_and_flip_with(place=lambda top, left, pad: (2 * pad - top, 2 * pad - left)),
    ),
    ("crop_and_flip", "always the middle", lambda x, *others: x),
    (
        "crop_and_flip",
        "always the middle",
        lambda x, pad, offsets, flips: torch.where(flips[:, None, None, None], x.flip(3), x),
    ),
    ("crop_and_flip", "always the corner", crop_and_flip_with(place=lambda top, left, pad: (0, 0))),
    ("crop_and_flip", "padding", crop_and_flip_with(mode="replicate")),
    ("crop_and_flip", "padded on one side", crop_and_flip_with(pads=lambda pad: (0, 2 * pad, 0, 2 * pad))),
    ("crop_and_flip", "not cut", lambda x, pad, *others: F.pad(x, 4 * [pad])),
    ("crop_and_flip", "changes inputs", crop_and_flip_in_place),
    ("crop_and_flip", "counter-example", lambda x, *others: crop_and_flip_by_slices(x.roll(1, 0), *others)),
    (
        "crop_and_flip",
        "counter-example",
        lambda x, pad, offsets, flips: crop_and_flip_by_slices(x, pad, offsets, flips.any().expand(len(x))),
    ),
    ("crop_and_flip", "kind", lambda *call: list(crop_and_flip_by_slices(*call))),
    ("crop_and_flip", "exception", lambda images, pad, offsets: images),
    ("batch_norm", "biased running variance", norm_with(running=False)),
    ("batch_norm", "unbiased output", norm_with(output=True)),
    ("batch_norm", "variances exchanged", norm_with(output=True, running=False)),
    ("batch_norm", "momentum exchanged", norm_with(weight=0.9)),
    ("batch_norm", "replaced", norm_with(weight=1.0)),
    ("batch_norm", "never updated", norm_with(update=lambda training: False)),
    ("batch_norm", "updated in evaluation", norm_with(update=lambda training: True)),
    ("batch_norm", "modes exchanged", norm_with(batch=lambda training: not training)),
    ("batch_norm", "modes exchanged", lambda *call: norm_with()(*call[:5], not call[5])),
    ("batch_norm", "batch in evaluation", norm_with(batch=lambda training: True)),
    ("batch_norm", "running in training", norm_with(batch=lambda training: False)),
    (
        "batch_norm",
        "running in training",
        norm_with(batch=lambda training: False, update=lambda training: False),
    ),
    ("batch_norm", "divided by the variance", norm_with(eps="variance")),
    ("batch_norm", "epsilon outside", norm_with(eps="outside")),
    ("batch_norm", "epsilon outside", norm_with(eps="none")),
    ("batch_norm", "epsilon outside", norm_with(eps="larger")),
    ("batch_norm", "epsilon outside", norm_with(eps="of the batch")),
    ("batch_norm", "kind", norm_by_torch),
    ("batch_norm", "each position alone", norm_over_the_batch),
    ("batch_norm", "images counted", norm_counting_images),
    ("batch_norm", "not scaled", norm_plain),
    (
        "batch_norm",
        "scale and shift exchanged",
        lambda x, scale, shift, *others: norm_with()(x, shift, scale, *others),
    ),
    ("batch_norm", "scale only", lambda x, scale, shift, *others: norm_with()(x, scale, 0 * shift, *others)),
    ("batch_norm", "changes inputs", norm_in_place),
    ("batch_norm", "counter-example", norm_by_image),
    ("batch_norm", "order", norm_with(result=lambda y, mean, var: (y, var, mean))),
    ("batch_norm", "kind", norm_with(result=lambda y, mean, var: y)),
    ("batch_norm", "exception", lambda x, scale, shift: (x * scale + shift, scale, shift)),
    ("top_k_error", "accuracy", lambda *call: 1 - error_by_topk(*call)),
    ("top_k_error", "percent", lambda *call: 100 * error_by_topk(*call)),
    ("top_k_error", "count", lambda logits, labels, k: len(labels) * error_by_topk(logits, labels, k)),
    ("top_k_error", "top 1", lambda logits, labels, k: (logits.argmax(1) != labels).double().mean()),
    ("top_k_error", "off by one", lambda logits, labels, k: error_by_rank(logits, labels, k - 1)),
    ("top_k_error", "off by one", lambda logits, labels, k: error_by_rank(logits, labels, k + 1)),
    ("top_k_error", "least likely", lambda logits, labels, k: error_by_topk(-logits, labels, k)),
    ("top_k_error", "k-th only", lambda z, y, k: (z.argsort(descending=True)[:, k - 1] != y).double().mean()),
    ("top_k_error", "per guess", lambda z, y, k: (z.topk(k).indices != y[:, None]).double().mean()),
    ("top_k_error", "any guess", lambda z, y, k: (z.topk(k)[1] != y[:, None]).any(1).double().mean()),
    ("top_k_error", "values", lambda z, y, k: (z.topk(k)[0] != y[:, None]).all(1).double().mean()),
    ("top_k_error", "always five", lambda z, y, k: error_by_rank(z, y, 5)),
    ("top_k_error", "kind", lambda z, y, k: (z.topk(k).indices != y[:, None]).all(1)),
    ("top_k_error", "counter-example", lambda z, y, k: 0.5),
    ("top_k_error", "exception", lambda z, y, k: error_by_topk(z, y, 5)),
    ("train_step", "no zero_grad", step_without_zero_grad),
    ("train_step", "softmax", step_with_softmax),
    ("train_step", "no step", step_zeroing_after_backward),
    ("train_step", "no step", step_only_forward),
    ("train_step", "step before backward", step_before_backward),
    ("train_step", "kind", step_returning_nothing),
    ("train_step", "kind", step_returning(lambda logits, loss: logits)),
    ("train_step", "keeps the graph", step_returning(lambda logits, loss: loss)),
    ("train_step", "two steps", step_twice),
    (
        "train_step",
        "two steps",
        lambda *call: (step_as_in_the_solution(*call), step_as_in_the_solution(*call))[0],
    ),
    ("train_step", "training mode", lambda model, *others: step_as_in_the_solution(model.train(), *others)),
    ("train_step", "by hand", step_by_hand),
    ("train_step", "image by image", step_image_by_image),
    ("train_step", "counter-example", step_with_another_optimizer),
    ("train_step", "sum", lambda m, x, *others: step_as_in_the_solution(m, x, *others) * len(x)),
    ("train_step", "kind", 0.5),
    ("train_step", "evaluation mode", lambda model, *others: step_as_in_the_solution(model.eval(), *others)),
    ("train_step", "counter-example", step_in_double_precision),
    ("train_step", "loss afterwards", step_with_the_loss_afterwards),
    ("evaluate", "train mode", evaluation(mode=True)),
    ("evaluate", "train mode", evaluation(mode=None)),
    ("evaluate", "read twice", evaluate_in_two_loops),
    ("evaluate", "one batch", lambda model, batches: evaluation()(model, list(batches)[-1:])),
    ("evaluate", "one batch", evaluate_with_the_last_loss),
    ("evaluate", "softmax", evaluation(softmax=True, gradients=True)),
    ("evaluate", "gradients, too", evaluation(dim=0, gradients=True)),
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
    ("confident_mistakes", "margin", listing(score="margin")),
    ("confident_mistakes", "over images", listing(score="over images")),
    ("confident_mistakes", "by position", lambda *call: sorted(listing()(*call).tolist())),
    ("confident_mistakes", "kept too late", mistakes_among_the_most_confident),
    ("confident_mistakes", "too few", mistakes_by_topk),
    ("confident_mistakes", "not cut", lambda logits, labels, most: listing()(logits, labels, len(labels))),
    ("confident_mistakes", "not sorted", listing(score="none")),
    ("confident_mistakes", "kind", lambda logits, labels, most: (logits.argmax(1) != labels).nonzero()),
    ("confident_mistakes", "counter-example", lambda logits, labels, most: torch.zeros(most)),
]
