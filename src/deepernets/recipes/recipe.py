"""`Recipe`: what a run trains and how; and the three profiles at which recipes can be run."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from pathlib import PurePath
from typing import Any, Literal, get_args

from deepernets.errors import UserError
from deepernets.papers.datasets import DATASETS

Optimizer = Literal["sgd", "lookahead", "adam", "adamw"]
ScheduleName = Literal["constant", "step", "on-plateau", "cosine", "one-cycle"]  # of `training.schedules`
Profile = Literal["quick", "laptop", "full"]
HoldOut = Literal["stratified", "last"]

# What a field of this type must be, for messages.
KINDS: dict[Any, str] = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Recipe:
    """All that determines what a network learns in a run; the machine is not part of it.

    Raises:
        UserError: a value has another type, or is outside the range with which a network can be trained.

    Attributes:
        name: Name of the recipe.
        data: Data set, as `deepernets.load_dataset` names it.
        model: Network, as `deepernets.build_model` names it.
        initialisation: Initial weights: pytorch, paper, normal, glorot, he or identity.
        epochs: Passes over the training images.
        batch_size: Images per step.
        optimizer: The rule that turns gradients into steps; lookahead is SGD with weights that follow its own.
        learning_rate: The learning rate, by which the schedule is multiplied.
        momentum: Momentum of SGD (Adam's averages keep PyTorch's 0.9 and 0.999).
        nesterov: Take the gradient after a step along the momentum (SGD).
        weight_decay: L2 penalty; decoupled from the gradient in AdamW.
        schedule: constant, step, on-plateau, cosine or one-cycle.
        warm_up_epochs: Epochs over which the learning rate rises linearly from a tenth.
        label_smoothing: Share of each target spread evenly over all classes.
        pad: Pixels of padding around the image before the random crop; 0 for no crop.
        flip: Mirror half of the training images left to right.
        image_size: Height and width in pixels that images are resized to.
        validation_fraction: Share of the training images held out for validation.
        hold_out: Which images are held out: stratified (the same share of each class, at random), or last (the
            last ones in the order of the data set, as Keras' `validation_split` does).
        train_images: Use only this many of the training images, stratified; 0 for all.
        start_from: Recipe whose trained network, with the same seed, gives the initial weights of the layers that
            `deepernets.models.vgg.PRE_INITIALISED` names; empty to draw all of them.
        whiten: Compute the first layer from a random sample of the training images instead of learning it (the
            networks of the speedrun).
        alternate: Mirror each image in every other epoch, instead of at random (with `flip`).
        both_ways: Evaluate with horizontal-flip test-time augmentation: the mean over an image and its mirror
            image.
    """

    name: str
    data: str
    model: str
    initialisation: str = "he"
    epochs: int = 20
    batch_size: int = 128
    optimizer: Optimizer = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    schedule: ScheduleName = "constant"
    warm_up_epochs: float = 0.0
    label_smoothing: float = 0.0
    pad: int = 0
    flip: bool = False
    image_size: int = 32
    validation_fraction: float = 1 / 15
    hold_out: HoldOut = "stratified"
    train_images: int = 0
    start_from: str = ""
    whiten: bool = False
    alternate: bool = False
    both_ways: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            kind = field.type if field.type in KINDS else str  # a Literal is text
            value = _as_plain_number(getattr(self, field.name), kind)
            object.__setattr__(self, field.name, value)
            finite = not isinstance(value, float) or isfinite(value)  # JSON has no infinity
            self._require(field.name, type(value) is kind and finite, KINDS[kind])
        parts = PurePath(self.name).parts
        inside = bool(parts) and ".." not in parts and not PurePath(self.name).anchor
        self._require(
            "name", inside, "a name without .. and not starting with /, since folders are named after it"
        )
        self._require("epochs", self.epochs >= 1, "at least 1")
        self._require("batch_size", self.batch_size >= 2, "at least 2 (batch normalisation needs two images)")
        self._require_one_of("optimizer", get_args(Optimizer))
        self._require("learning_rate", self.learning_rate > 0, "above 0")
        below_one = "from 0 up to, but not including, 1"
        self._require("momentum", 0 <= self.momentum < 1, below_one)
        self._require("nesterov", not self.nesterov or self.momentum > 0, "used with a momentum above 0")
        self._require("weight_decay", self.weight_decay >= 0, "0 or more")
        self._require_one_of("schedule", get_args(ScheduleName))
        self._require(
            "warm_up_epochs", 0 <= self.warm_up_epochs < self.epochs, "0 or more, and under `epochs`"
        )
        self._require("label_smoothing", 0 <= self.label_smoothing < 1, below_one)
        self._require("pad", self.pad >= 0, "0 or more pixels")
        self._require("image_size", self.image_size >= 2, "at least 2 pixels (PyTorch cannot resize to one)")
        self._require("validation_fraction", 0 <= self.validation_fraction < 1, below_one)
        self._require_one_of("hold_out", get_args(HoldOut))
        self._require("train_images", self.train_images >= 0, "0 (all) or a number of images")
        self._require("alternate", not self.alternate or self.flip, "used with flip")
        has_errors = self.schedule != "on-plateau" or self.validation_fraction > 0
        self._require("validation_fraction", has_errors, "above 0 where the schedule is on-plateau")

    def _require(self, field: str, holds: bool, expected: str) -> None:
        if not holds:
            raise UserError(
                f"Recipe {self.name!r}: {field} is {getattr(self, field)!r}; it must be {expected}. "
                f"Change {field} and try again."
            )

    def _require_one_of(self, field: str, values: tuple[str, ...]) -> None:
        self._require(field, getattr(self, field) in values, f"one of {', '.join(values)}")

    def at(self, profile: str) -> "Recipe":
        """Return the recipe scaled down to a `profile`; `full` is the recipe as written.

        Schedules depend on the share of training done, and keep their shape in a shorter run.

        Raises:
            UserError: there is no such profile.

        >>> recipe = Recipe("example", data="cifar3", model="vgg-16-bn-cifar", epochs=20)
        >>> recipe.at("laptop").epochs, recipe.at("laptop").train_images
        (4, 5000)
        """
        if profile not in PROFILES:
            raise UserError(f"There is no profile {profile!r}; choose one of {', '.join(PROFILES)}.")
        scale = PROFILES[profile]
        if scale is None or self.name.startswith("quick/"):
            return self
        epochs = max(1, round(self.epochs * scale.epochs))
        return replace(
            self,
            epochs=epochs,
            warm_up_epochs=self.warm_up_epochs * epochs / self.epochs,
            train_images=min(self.train_images or scale.train_images, scale.train_images),
        )

    def changed(self, **changes: Any) -> "Recipe":
        """Return the recipe with some of its fields changed.

        Raises:
            UserError: a field does not exist, or has an invalid value.
        """
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise UserError(f"A recipe has no field {name!r}; its fields are {', '.join(known)}.")
        return replace(self, **changes)


def _as_plain_number(value: Any, kind: Any) -> Any:
    """Return a number of NumPy or PyTorch as one of Python's, which JSON can hold, and a float where one is due."""
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    return float(value) if kind is float and type(value) is int and abs(value) < 1e300 else value


@dataclass(frozen=True)
class Scale:
    """Share of a recipe's epochs, and largest number of training images, in a profile."""

    epochs: float
    train_images: int


PROFILES: dict[str, Scale | None] = {
    "quick": Scale(epochs=0.1, train_images=512),  # on the embedded stand-in data: seconds
    "laptop": Scale(epochs=0.2, train_images=5_000),  # on the real data: minutes
    "full": None,  # the recipe as written
}


def training_images(recipe: Recipe) -> int:
    """Return the number of images that a recipe trains on.

    >>> training_images(Recipe("example", data="cifar3", model="resnet-20", validation_fraction=0.2))
    12000
    """
    images = DATASETS[recipe.data].train_images
    images -= round(images * recipe.validation_fraction)
    return min(images, recipe.train_images) if recipe.train_images else images


def unequal_terms(one: Recipe, other: Recipe, compared: Collection[str] = ("name", "model")) -> list[str]:
    """Return the fields, sorted, in which two recipes differ in addition to those that are `compared`.

    >>> from deepernets.recipes import get_recipe
    >>> unequal_terms(get_recipe("report-a/vgg-16/as-reported"), get_recipe("report-a/resnet-50/as-reported"))
    ['epochs']
    """
    ours, theirs = asdict(one), asdict(other)
    return sorted(field for field in ours if field not in compared and ours[field] != theirs[field])
