"""The map of the course: what each page is for, what to read before it, its labs, and how long it takes."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from deepernets.book.editions import for_students, read_toc
from deepernets.errors import UserError


@dataclass(frozen=True)
class Entry:
    """What the map says of a page.

    Attributes:
        what: The question that a chapter answers, what is done in a lab, or what a page of reference is for.
        needs: Pages to know before, each named as in ``_toc.yml``, without its folder.
        labs: Numbers of the labs in which a chapter's subject is practised.
    """

    what: str
    needs: tuple[str, ...] = ()
    labs: tuple[int, ...] = ()


MAP = {
    "map": Entry("Which pages are there, in which order, and how long do they take?"),
    "how-to-work": Entry("How do I run the labs, at which size, and how long does a training take?"),
    "vgg-in-one-page": Entry("What does the VGG paper say?"),
    "resnet-in-one-page": Entry("What does the ResNet paper say?"),
    "convolution": Entry("What does a layer cost in parameters, work and memory?", labs=(2,)),
    "receptive-fields": Entry(
        "How much of the image does a unit see, and why is 3×3 enough?", ("convolution",), (1,)
    ),
    "vgg-configurations": Entry("What do the six columns of the table say?", ("convolution",), (2,)),
    "vgg-training": Entry("How were these networks trained and tested?", ("vgg-configurations",), (3,)),
    "when-depth-hurts": Entry("Why is a deeper network worse?", ("vgg-training",), (8,)),
    "residual-learning": Entry("What does one addition change?", ("when-depth-hurts",), (4,)),
    "resnet-family": Entry(
        "What does every row of ResNet’s tables mean?", ("vgg-configurations", "residual-learning"), (4, 5)
    ),
    "data": Entry("What is in the images, and what happens to them?", labs=(6,)),
    "recipe": Entry("What do loss, optimizer, learning rate and batch size do?", ("data",), (7, 11)),
    "reading-results": Entry("Which differences are real?", ("recipe",), (5,)),
    "how-results-are-compared": Entry("When can two results be compared?", ("reading-results",), (5,)),
    "report-a": Entry(
        "Is ResNet-50 worse than VGG-16 because of its size?",
        ("resnet-family", "how-results-are-compared"),
        (5,),
    ),
    "report-b": Entry(
        "Why do its ResNets end far below their paper?", ("resnet-family", "how-results-are-compared"), (6,)
    ),
    "report-c": Entry("What are its printed figures means over?", ("how-results-are-compared",), (6,)),
    "read-critically": Entry(
        "Which test catches which mistake?", ("resnet-family", "how-results-are-compared"), (4,)
    ),
    "looking-inside": Entry("What does a network look at?", ("receptive-fields", "reading-results"), (9,)),
    "one-machine": Entry("Where does the time of a training step go?", ("recipe",), (10,)),
    "many-machines": Entry("What do many machines send each other?", ("one-machine",), (10,)),
    "after-resnet": Entry("How has the block changed since?", ("resnet-family",), (4,)),
    "01_receptive_fields": Entry(
        "Write a convolution, check its gradient, follow the field", ("convolution",)
    ),
    "02_build_vgg": Entry(
        "Build six networks with exact counts", ("vgg-configurations", "01_receptive_fields")
    ),
    "03_train_vgg": Entry(
        "Write the training step and the evaluation", ("vgg-configurations", "vgg-training")
    ),
    "04_build_resnet": Entry(
        "Build shortcuts, bottlenecks and whole networks",
        ("residual-learning", "resnet-family", "02_build_vgg"),
    ),
    "05_train_resnet": Entry(
        "Compare two networks on equal terms",
        ("residual-learning", "resnet-family", "reading-results", "03_train_vgg"),
    ),
    "06_mnist": Entry(
        "Compare deep networks with simple ones on digits", ("reading-results", "03_train_vgg")
    ),
    "07_learning_rates": Entry("Find, schedule and race learning rates", ("recipe", "03_train_vgg")),
    "08_when_depth_hurts": Entry(
        "Diagnose networks that are too deep", ("when-depth-hurts", "04_build_resnet")
    ),
    "09_looking_inside": Entry("Show what a network looks at", ("looking-inside", "03_train_vgg")),
    "10_make_it_fast": Entry(
        "Measure a step, resume exactly, use two processes", ("one-machine", "many-machines", "03_train_vgg")
    ),
    "11_why_does_it_not_train": Entry("Find the faults of six trainings", ("recipe", "03_train_vgg")),
    "teaching": Entry("How do I teach with this book, and how do I grade?"),
    "promises": Entry("What is tested, and where?"),
    "deviations": Entry("Where does this course differ from the papers?"),
    "records": Entry("Which runs are recorded, and which are still planned?"),
    "package": Entry("What do the functions of the package take and return?"),
    "commands": Entry("What can the command line do, and with which options?"),
    "cheat-sheet": Entry("The formulas, recipes and blocks on one sheet of paper"),
    "notation": Entry("What does a symbol mean?"),
    "glossary": Entry("What does a word mean?"),
    "references": Entry("Which papers are cited?"),
}
_TIME = re.compile(r"Reading time: about (\d+)(?: to (\d+))? minutes|It takes (\d+) to (\d+) minutes")


class Minutes(NamedTuple):
    """How long a page takes, from the shorter to the longer estimate."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}" if self.low == self.high else f"{self.low} to {self.high}"


def total(times: Iterable[Minutes]) -> Minutes:
    """Return the sum of some times.

    >>> total([Minutes(45, 45), Minutes(60, 90)]), total([])
    (Minutes(low=105, high=135), Minutes(low=0, high=0))
    """
    summands = list(times)
    return Minutes(sum(time.low for time in summands), sum(time.high for time in summands))


def in_hours(minutes: Minutes) -> str:
    """Write a time in hours.

    >>> in_hours(Minutes(700, 930)), in_hours(Minutes(45, 45))
    ('12 to 16', '1')
    """
    low, high = (max(1, round(time / 60)) for time in minutes)
    return f"{low}" if low == high else f"{low} to {high}"


def before(name: str) -> list[str]:
    """Return all pages that a page needs, and those that they need, in the order of the map.

    >>> before("receptive-fields"), before("04_build_resnet")[-1]
    (['convolution'], '02_build_vgg')
    """
    found: set[str] = set()
    waiting = list(MAP[name].needs)
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            waiting += MAP[page].needs
    return [page for page in MAP if page in found]


class Course:
    """The pages of the course that students get, with the parts that they are in and their times.

    Raises:
        UserError: a page is not on the map.
    """

    def __init__(self, root: Path) -> None:
        self.parts: dict[str, list[str]] = {
            part["caption"]: [page["file"] for page in part["chapters"]]
            for part in for_students(read_toc(root / "_toc.yml"))["parts"]
        }
        self._files = {Path(page).name: page for pages in self.parts.values() for page in pages}
        if missing := self._files.keys() - MAP.keys():
            raise UserError(
                f"The map has no entry for {', '.join(sorted(missing))}; add it to MAP in "
                "src/deepernets/book/course_map.py."
            )
        self._texts = {name: _text(root / page) for name, page in self._files.items()}

    def minutes(self, name: str) -> Minutes | None:
        """Return how long a page says that it takes; None for a page of reference."""
        found = _TIME.search(self._texts[name])
        if not found:
            return None
        low, high = (int(number) for number in (found[1] or found[3], found[2] or found[4] or found[1]))
        return Minutes(low, high)

    def link(self, name: str) -> str:
        """Return a link to a page, as Markdown in the folder of the book."""
        file = self._files[name]
        return f"[](../{file}.ipynb)" if file.startswith("labs/") else f"[]({name}.md)"

    def short_link(self, lab: int) -> str:
        """Return a link to a lab that shows its number."""
        name = next(page for page in self._files if page.startswith(f"{lab:02}_"))
        return f"[{lab}](../labs/{name}.ipynb)"

    def timed(self, kind: str) -> list[Minutes]:
        """Return the times of all ``book`` pages or all ``labs`` that have one."""
        names = [name for name, file in self._files.items() if file.startswith(f"{kind}/")]
        return [time for name in names if (time := self.minutes(name))]

    def chapters(self) -> list[dict[str, str]]:
        """Return the rows of the table of chapters, with a row for each part."""
        rows = []
        for part, pages in self.parts.items():
            names = [Path(page).name for page in pages if page.startswith("book/")]
            timed = [(name, time) for name in names if (time := self.minutes(name))]
            if timed:
                rows.append({"chapter": f"**{part}**", "minutes": "", "read before": "", "labs": ""})
            rows += [
                {
                    "chapter": f"{self.link(name)}: {MAP[name].what}",
                    "minutes": str(time),
                    "read before": ", ".join(self.link(page) for page in MAP[name].needs),
                    "labs": ", ".join(map(self.short_link, MAP[name].labs)),
                }
                for name, time in timed
            ]
        return rows

    def labs(self) -> list[dict[str, Any]]:
        """Return the rows of the table of labs, with the time for everything that comes before each."""
        rows = []
        for name in (name for name, file in self._files.items() if file.startswith("labs/")):
            earlier = [time for page in before(name) if (time := self.minutes(page))]
            rows.append(
                {
                    "lab": f"{self.link(name)}: {MAP[name].what}",
                    "minutes": str(self.minutes(name)),
                    "you need": ", ".join(
                        f"lab {self.short_link(int(page[:2]))}" if page[0].isdigit() else self.link(page)
                        for page in MAP[name].needs
                    ),
                    "hours before it": in_hours(total(earlier)),
                }
            )
        return rows

    def reference(self) -> list[dict[str, Any]]:
        """Return the rows of the table of pages to look things up in."""
        untimed = [name for name in self._files if not self.minutes(name) and name != "map"]
        return [{"page": self.link(name), "what for": MAP[name].what} for name in untimed]


def _text(page: Path) -> str:
    """Return the text of a page in one line."""
    notebook = page.with_suffix(".ipynb")
    if notebook.is_file():
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    else:
        text = page.with_suffix(".md").read_text(encoding="utf-8")
    return " ".join(text.split())
