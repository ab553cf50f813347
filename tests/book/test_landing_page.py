"""The figures of the first page show what the package computes."""

import json
import re
from pathlib import Path

import torch
from PIL import Image

import deepernets
from deepernets.book.landing_page import SIDE, field_growth, results_in_short, stages, write_social_card
from deepernets.book.site import CARD, CARD_SIZE

ROOT = Path(__file__).parents[2]


def test_the_fields_are_those_of_the_middle_units_of_vgg_16() -> None:
    with torch.device("meta"):
        network = deepernets.build_model("vgg-d")
    fields = deepernets.receptive_field(network, (3, SIDE, SIDE))
    maps = fields[~fields["name"].str.contains("relu")]
    assert [stage.field for stage in stages()] == maps["receptive_field"].tolist()
    for stage, start, jump in zip(stages(), maps["start"], maps["jump"], strict=True):
        centre = stage.low + (stage.field - 1) / 2
        assert (centre - start) % jump == 0
        assert abs(centre - (SIDE - 1) / 2) <= jump / 2


def test_the_figure_without_its_script_shows_the_last_layer_and_its_data() -> None:
    html = str(field_growth().data)
    last = stages()[-1]
    assert f"one unit of VGG-16 sees {last.field}×{last.field}" in html
    assert html.count('class="growth-bar') == len(stages())
    data = re.search(r'<script type="application/json">(.+)</script>', html)
    assert data
    assert json.loads(data[1]) == [stage._asdict() for stage in stages()]


def test_results_in_short_are_rows_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.2f}", readme)
    rows = [row.split("|")[1:-1] for row in str(results_in_short().data).splitlines()[2:]]
    assert len(rows) >= 7
    for name, reported, ours in rows:
        model, data, report = (part.strip() for part in name.split(","))
        accuracies = [re.findall(r"[\d.]+(?: ± [\d.]+)?", cell) for cell in (reported, ours)]
        numbers = " | ".join(number for pair in accuracies for number in pair)
        assert f"| {report} | {model} | {data.lower().replace('-', '')} | {numbers} |" in readme


def test_the_stored_card_has_the_size_that_messengers_expect(tmp_path: Path) -> None:
    write_social_card(tmp_path / "card.png")
    for path in (ROOT / "book" / CARD, tmp_path / "card.png"):
        with Image.open(path) as card:
            assert card.size == CARD_SIZE
