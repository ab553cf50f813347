"""What the first page shows: what a unit of VGG-16 sees of an image, and the results in short."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from deepernets.book.explorers import windows
from deepernets.book.pages import text_table
from deepernets.models.receptive_field import receptive_field
from deepernets.models.registry import build_model
from deepernets.results.comparison import best_of_each_network, compare_reported
from deepernets.training.records import load_records

if TYPE_CHECKING:
    from IPython.display import HTML, Markdown

SIDE = 224
CARD_LINES = (
    "from paper to practice",
    "Build VGG and ResNet, train them,\nand learn which differences are real.",
    "A book, labs and a Python package",
)
BAR = 150  # length of the bar of a field as wide as the image
# The course's own drawing of one of CIFAR's classes, on a square of 224 pixels.
SHIP = """
<rect width="224" height="224" fill="#bfe0f5"/><circle cx="40" cy="42" r="19" fill="#ffd257"/>
<path d="M150 45q12-14 26 0 18-4 20 13h-62q0-13 16-13z" fill="#fff"/>
<path d="M0 128q28-22 62-8 18-12 38 8z" fill="#6f9b72"/>
<rect y="128" width="224" height="96" fill="#2f78a8"/>
<path d="M0 150q14-9 28 0t28 0 28 0 28 0 28 0 28 0 28 0 28 0" fill="none" stroke="#d5ecf7" stroke-width="3"/>
<path d="M0 205q14-9 28 0t28 0 28 0 28 0 28 0 28 0 28 0 28 0" fill="none" stroke="#d5ecf7" stroke-width="3"/>
<path d="M108 24v128" stroke="#5b3a21" stroke-width="5"/>
<path d="M114 30q52 42 54 104h-54z" fill="#fffdf5"/><path d="M114 84l44 14q7 18 8 36h-52z" fill="#d8503c"/>
<path d="M102 44q-38 38-44 90h44z" fill="#f3ead4"/>
<path d="M38 150h148q-8 38-34 38H76q-28 0-38-38z" fill="#7b4a28"/><path d="M38 150h148l-3 11H42z" fill="#fff"/>
""".replace("\n", "")


class Stage(NamedTuple):
    """What the middle unit of a layer sees: `field` pixels on a side, from pixel `low` on."""

    name: str
    field: int
    low: float


def stages() -> list[Stage]:
    """Return what the middle units of VGG-16's layers see, from the first convolution to the last pool.

    >>> stages()[0], stages()[-1].field
    (Stage(name='block 1, convolution 1', field=3, low=111.0), 212)
    """
    with torch.device("meta"):
        network = build_model("vgg-d")
    fields = receptive_field(network, (3, SIDE, SIDE)).set_index("name")
    found = []
    for name in (window["name"] for window in windows("vgg-d", SIDE)):
        row = fields.loc[name]
        centre = row["start"] + SIDE // row["jump"] // 2 * row["jump"]
        field = int(row["receptive_field"])
        words = name.replace("block", "block ").replace(".conv", ", convolution ").replace(".pool", ", pool")
        found.append(Stage(words, field, float(centre - (field - 1) / 2)))
    return found


def field_growth() -> "HTML":
    """Return the figure of the first page: the field of a unit of VGG-16 grows from layer to layer.

    Without JavaScript, and in print, it shows the last layer and the fields after the pools.
    """
    from IPython.display import HTML

    found = stages()
    data = json.dumps([stage._asdict() for stage in found], separators=(",", ":"))
    first, last = found[0], found[-1]
    title = (
        f"A ship, of which one unit of VGG-16 sees {first.field}×{first.field} pixels after the first layer and "
        f"{last.field}×{last.field} after the last. Bars show the fields of all {len(found)} layers."
    )
    return HTML(
        f'<figure class="growth" id="growing-field"><svg viewBox="-2 -2 446 228" role="img" aria-label="{title}">'
        f'<defs><clipPath id="growth-seen">{_square(last)}</clipPath></defs>'
        f'<g class="growth-unseen">{SHIP}</g><g clip-path="url(#growth-seen)">{SHIP}</g>'
        f"{''.join(_square(stage, 'growth-pool') for stage in found[:-1] if 'pool' in stage.name)}"
        f"{_square(last, 'growth-field')}{''.join(_bar(row, stage) for row, stage in enumerate(found))}</svg>"
        f'<figcaption><span class="growth-summary">{_sentence(last, len(found), len(found))}</span></figcaption>'
        f'<script type="application/json">{data}</script></figure>'
    )


def _square(stage: Stage, name: str = "") -> str:
    side = f'width="{stage.field}" height="{stage.field}"'
    return f'<rect class="{name}" x="{stage.low:g}" y="{stage.low:g}" {side}/>'


def _bar(row: int, stage: Stage) -> str:
    kind = "growth-bar growth-bar-pool" if "pool" in stage.name else "growth-bar"
    y, width = 6 + 12 * row, max(3, BAR * stage.field / SIDE)
    text = f'<text x="{246 + width:.1f}" y="{y + 9}">{stage.field}</text>' if "pool" in stage.name else ""
    return f'<rect class="{kind}" x="240" y="{y}" width="{width:.1f}" height="9"/>{text}'


def _sentence(stage: Stage, number: int, count: int) -> str:
    seen = f"{stage.field}×{stage.field} of the {SIDE}×{SIDE} pixels"
    return f"After layer {number} of {count} ({stage.name}), one unit of VGG-16 sees {seen}."


def results_in_short() -> "Markdown":
    """Return a table of the best reported result of each network on colour images, and of our recipe for it."""
    import pandas as pd

    rows = best_of_each_network(compare_reported(load_records()))
    frame = pd.DataFrame(
        {
            "network, images, report": f"{row.model}, {row.data.replace('cifar', 'CIFAR-')}, {row.report}",
            "reported, %": f"{row.reported.test_accuracy:.2f} ({row.reported.epochs} epochs)",
            "our recipe, %": f"{row.ours} ({row.ours.epochs} epochs)" if row.ours else "not run yet",
        }
        for row in rows
        if row.data != "mnist"
    )
    return text_table(frame)


def write_social_card(path: Path) -> None:
    """Write the image that messengers show next to a link to the book."""
    from deepernets.plots import architecture, style

    squares = [(stage.low / SIDE, stage.field / SIDE) for stage in stages()]
    style.save(architecture.field_card("Deeper Networks", CARD_LINES, squares), path, dpi=100)
