"""Learning-rate schedules as pure functions.

Each takes `progress`, the share of training done (0 at the first step, 1 after the last), and returns the
factor by which the recipe's learning rate is multiplied. A schedule has no state: it can be plotted before
training, and a resumed run has the same learning rates as an uninterrupted one. `reduce_on_plateau` is not a
schedule, since it depends on the validation errors; `deepernets.training.loop.fit` calls it before each epoch.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """Return 1: the learning rate stays the same."""
    return 1.0


def step(progress: float, milestones: Sequence[float] = (0.5, 0.75), gamma: float = 0.1) -> float:
    """Divide by ten at fixed points: `gamma` to the number of `milestones` passed.

    The default milestones are those of the ResNet paper on CIFAR-10, 32k and 48k of 64k iterations
    (He et al. 2016, section 4.2).

    >>> [round(step(progress), 3) for progress in (0.0, 0.49, 0.5, 0.75)]
    [1.0, 1.0, 0.1, 0.01]
    """
    return gamma ** sum(progress >= milestone for milestone in milestones)


def reduce_on_plateau(errors: Sequence[float], patience: int = 5, gamma: float = 0.1, most: int = 3) -> float:
    """Divide by ten when the validation error has not improved for `patience` epochs, `most` times at most.

    The VGG paper reduces its learning rate so, three times in all (Simonyan & Zisserman 2015, section 3.1).

    Args:
        errors: Validation error of each epoch so far.
        patience: Epochs without improvement before the learning rate is reduced.
        gamma: Factor of one reduction.
        most: Reductions at most.

    >>> reduce_on_plateau([0.5, 0.4, 0.4, 0.4], patience=2)
    0.1
    >>> reduce_on_plateau([0.5, 0.4, 0.4, 0.3], patience=2)
    1.0
    """
    best, waited, drops = math.inf, 0, 0
    for error in errors:
        if error < best:
            best, waited = error, 0
        else:
            waited += 1
        if waited == patience:
            drops, waited = drops + 1, 0
    return gamma ** min(drops, most)


def cosine(progress: float, last: float = 0.0) -> float:
    """Half a cosine from 1 down to `last` (Loshchilov & Hutter 2017, equation 5, without restarts).

    >>> [round(cosine(progress), 3) for progress in (0, 0.5, 1)]
    [1.0, 0.5, 0.0]
    """
    return last + (1 - last) * (1 + math.cos(math.pi * progress)) / 2


def one_cycle(progress: float, peak: float = 0.3, first: float = 0.04, last: float = 0.0) -> float:
    """Rise from `first` to 1 at `peak`, then fall to `last`, both along half a cosine (Smith & Topin 2019).

    >>> [round(one_cycle(progress), 3) for progress in (0, 0.3, 1)]
    [0.04, 1.0, 0.0]
    """
    if progress < peak:
        return cosine(1 - progress / peak, last=first)
    return cosine((progress - peak) / (1 - peak), last=last)


def warm_up(progress: float, schedule: Schedule = constant, share: float = 0.05, first: float = 0.1) -> float:
    """Rise linearly from `first` of the schedule to all of it, over the first `share` of training.

    It helps ResNet-110: at 0.1 from the first step the network takes several epochs before its error falls, and
    then reaches a similar accuracy (He et al. 2016, section 4.2, where the learning rate is a tenth of this until
    the training error is below 80 %).

    >>> [round(warm_up(progress, share=0.1), 3) for progress in (0, 0.05, 0.1, 1)]
    [0.1, 0.55, 1.0, 1.0]
    """
    factor = schedule(progress)
    return factor if progress >= share else factor * (first + (1 - first) * progress / share)


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": step,
    "on-plateau": constant,  # until `reduce_on_plateau` divides it
    "cosine": cosine,
    "one-cycle": one_cycle,
}


def get_schedule(name: str, warm_up_share: float = 0.0) -> Schedule:
    """Return the schedule called `name`, after a warm-up over `warm_up_share` of training if that is not 0.

    >>> round(get_schedule("cosine", warm_up_share=0.1)(0.0), 3)
    0.1
    """
    schedule = SCHEDULES[name]
    return partial(warm_up, schedule=schedule, share=warm_up_share) if warm_up_share else schedule
