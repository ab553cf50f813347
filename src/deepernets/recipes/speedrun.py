"""The recipes of the speedrun on CIFAR-10, and its ablations.

There are two sizes: ``cifar10/dash``, and ``cifar10/dash-narrow``, a quarter as wide and three epochs long,
which a laptop can repeat often. Each has an ablation without each of its `PARTS`.
"""

from typing import Any

from deepernets.recipes.recipe import Recipe

SPEEDRUN = Recipe(
    "cifar10/dash",
    data="cifar10",
    model="dash",
    initialisation="identity",
    epochs=10,
    batch_size=256,
    optimizer="lookahead",
    learning_rate=1.0,
    momentum=0.85,
    nesterov=True,
    weight_decay=1e-3,
    schedule="one-cycle",
    label_smoothing=0.2,
    pad=2,
    flip=True,
    validation_fraction=0.02,  # small, since evaluating held-out images takes time, too
    whiten=True,
    alternate=True,
    both_ways=True,
)
NARROW = SPEEDRUN.changed(name="cifar10/dash-narrow", model="dash-narrow", epochs=3)

# What replaces each part in the recipe without it.
PARTS: dict[str, dict[str, Any]] = {
    "whitening": {"whiten": False},
    "identity": {"initialisation": "he"},
    "lookahead": {"optimizer": "sgd"},
    "one-cycle": {"schedule": "constant", "learning_rate": 0.1},
    "label-smoothing": {"label_smoothing": 0.0},
    "crops": {"pad": 0},
    "alternation": {"alternate": False},
    "both-ways": {"both_ways": False},
}


def without(whole: Recipe, part: str) -> Recipe:
    """Return a speedrun recipe without one of its `PARTS`.

    >>> without(SPEEDRUN, "lookahead").name, without(SPEEDRUN, "lookahead").optimizer
    ('cifar10/dash/without-lookahead', 'sgd')
    """
    return whole.changed(name=f"{whole.name}/without-{part}", **PARTS[part])


SPEEDRUNS = tuple(
    recipe for whole in (SPEEDRUN, NARROW) for recipe in (whole, *(without(whole, part) for part in PARTS))
)
