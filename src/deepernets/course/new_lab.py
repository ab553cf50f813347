"""A new lab to start from: its master, the judging of two exercises, answers to test them with, its entries."""

import re
from pathlib import Path
from string import Template

from deepernets.errors import UserError
from deepernets.files import write_text

NAME = re.compile(r"(\d\d)_[a-z][a-z0-9_]*")

MASTER = Template('''# %% [markdown]
# # Lab $number: $title
#
# Say in two sentences what the lab is about. It takes 30 to 45 minutes.
#
# **You need** the training step of lab 3. **You get** the two exercises below.
#
# How the exercises work: replace each `...` with your answer, run the cell, then run the check below it. The lab
# runs to the end whether or not you have solved an exercise.

# %%
from deepernets import check

# %% [markdown]
# ## A number
#
# **Exercise 1.** How many weights does a 3×3 convolution from 2 to 5 channels have, without biases?

# %%
### BEGIN SOLUTION
weights_$id = 3 * 3 * 2 * 5
### END SOLUTION

# %%
weights = check("weights_$id", weights_$id).or_reference()

# %% [markdown]
# ## A function
#
# **Exercise 2.** Write `accuracy_$id`. `predicted` and `labels` are lists of class indices, of the same length.
# Return the share of the predictions that are right, from 0 to 1.


# %%
def accuracy_$id(predicted, labels):
    """Return the share of the predictions that are right."""
    ### BEGIN SOLUTION
    right = [one == other for one, other in zip(predicted, labels, strict=True)]
    return sum(right) / len(labels)
    ### END SOLUTION


# %%
accuracy = check("accuracy_$id", accuracy_$id).or_reference()

# %% [markdown]
# **Explain.** Why is accuracy alone not enough if nine images in ten are of one class?

# %% [markdown] tags=["answer"]
# A network that always answers with that class is right on 90 % of the images, and has learnt nothing.
''')

EXERCISES = Template('''"""Exercises of lab $number."""

from random import Random

from deepernets.course.exercises.judging import FunctionExercise, Mistake, NumberExercise
from deepernets.course.exercises.values import number

WEIGHTS = NumberExercise(
    "weights_$id",
    expected="how many weights the layer has",
    reference=90,
    mistakes=[
        Mistake("one input", 45, "Each output channel has a kernel for every input channel."),
        Mistake("kernel once", 30, "A kernel is as wide as it is high: square its side."),
        Mistake("biases", 95, "You counted the biases, too."),
    ],
    otherwise="How many pairs of an input and an output channel are there, and how many weights has each?",
)


def _accuracy(predicted: list[int], labels: list[int]) -> float:
    return sum(one == other for one, other in zip(predicted, labels, strict=True)) / len(labels)


def _predictions(draw: Random) -> list[tuple[list[int], list[int]]]:
    labels = [draw.randrange(3) for _ in range(7)]
    return [([0], [0]), ([0, 1, 1], [0, 1, 2]), ([*labels[:4], 3, 3, 3], labels)]


ACCURACY = FunctionExercise(
    "accuracy_$id(predicted, labels)",
    returns=number("the share of the predictions that are right"),
    reference=_accuracy,
    inputs=_predictions,
    mistakes=[
        Mistake(
            "count",
            lambda predicted, labels: _accuracy(predicted, labels) * len(labels),
            "That is the number of right predictions. Divide it by the number of images.",
        ),
        Mistake(
            "percent",
            lambda predicted, labels: 100 * _accuracy(predicted, labels),
            "Return a share from 0 to 1. Percentages are for showing.",
        ),
        Mistake(
            "error",
            lambda predicted, labels: 1 - _accuracy(predicted, labels),
            "That is the share of wrong predictions.",
        ),
    ],
)

EXERCISES = (WEIGHTS, ACCURACY)
''')

ANSWERS = Template('''"""The answers that students of lab $number give."""

from typing import Any


def accuracy(predicted: list[int], labels: list[int]) -> float:
    return sum(map(int.__eq__, predicted, labels)) / len(labels)


RIGHT: list[tuple[str, Any]] = [
    ("weights_$id", 90),
    ("weights_$id", 3**2 * 2 * 5.0),
    ("accuracy_$id", accuracy),
    ("accuracy_$id", lambda predicted, labels: 1 - sum(p != y for p, y in zip(predicted, labels)) / len(labels)),
]
WRONG: list[tuple[str, str, Any]] = [
    ("weights_$id", "one input", 3 * 3 * 5),
    ("weights_$id", "kernel once", 3 * 2 * 5),
    ("weights_$id", "biases", 95),
    ("weights_$id", "other", 10),
    ("weights_$id", "kind", "90"),
    ("accuracy_$id", "count", lambda predicted, labels: sum(map(int.__eq__, predicted, labels))),
    ("accuracy_$id", "percent", lambda *lists: 100 * accuracy(*lists)),
    ("accuracy_$id", "error", lambda *lists: 1 - accuracy(*lists)),
    ("accuracy_$id", "counter-example", lambda *lists: 0.5),
    ("accuracy_$id", "kind", lambda *lists: None),
]
''')


def new_lab(root: Path, name: str, title: str) -> list[Path]:
    """Write a lab to start from, and enter it in the table of contents; everything in it passes the tests.

    Args:
        root: The repository.
        name: Number and name, such as ``12_fine_tuning``.
        title: Its title.

    Returns:
        The files that were written: the master, the judging, and the answers.

    Raises:
        UserError: the name is of another form, its number is taken, or `root` is not the repository with the
            solutions. Nothing is written then.
    """
    form = NAME.fullmatch(name)
    if not form:
        raise UserError(
            f"The lab's name is {name!r}; expected two digits and a name in small letters, such as 12_fine_tuning."
        )
    if not title.strip() or "\n" in title:
        raise UserError(f"The lab's title is {title!r}; give --title one line of text.")
    number = form[1]
    contents = root / "_toc.yml"
    if not contents.is_file():
        raise UserError(f"There is no _toc.yml in {root.absolute()}; run this in the folder of the course.")
    if taken := sorted(root.glob(f"solutions/{number}_*.py")):
        raise UserError(f"Lab {number} is {taken[0].stem}; choose a number that is not taken.")
    entered = _with_entries(contents.read_text(encoding="utf-8"), name, str(int(number)))
    values = {"number": str(int(number)), "title": title.strip(), "id": number}
    files = {
        root / "solutions" / f"{name}.py": MASTER,
        root / "src/deepernets/course/exercises" / f"lab{number}.py": EXERCISES,
        root / "tests/course/answers" / f"lab{number}.py": ANSWERS,
    }
    for path, template in files.items():
        write_text(path, template.substitute(values))
    write_text(contents, entered)
    return list(files)


def _with_entries(contents: str, name: str, number: str) -> str:
    """Return a table of contents with a lab and its solution added after the last ones."""
    lines = contents.splitlines()
    for folder in ("labs", "solutions"):
        entries = [place for place, line in enumerate(lines) if f"file: {folder}/" in line]
        if not entries:
            raise UserError(
                f"There are no {folder} in _toc.yml; run this in the repository with the solutions."
            )
        last = entries[-1]
        indent = lines[last][: lines[last].index("- file")]
        added = [f"{indent}- file: {folder}/{name}"]
        if folder == "solutions":
            added.append(f'{indent}  title: "Lab {number}: the solution"')
            last += 1
        lines[last + 1 : last + 1] = added
    return "\n".join(lines) + "\n"
