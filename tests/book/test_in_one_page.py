"""The figures of the two papers' summaries, as in the papers' tables."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.book.conftest import Book

VGG, RESNET = "book/vgg-in-one-page", "book/resnet-in-one-page"
WORDS = [
    (VGG, "1,769,472 weights instead of 3,211,264 for 256 channels"),
    (VGG, "11 to 19 layers with weights"),
    (VGG, "alone has 74 % of D’s parameters"),
    (VGG, "370,000 iterations, which are 74 epochs"),
    (VGG, "On 4 GPUs a step was 3.75 times as fast as on one, and a network took two to three weeks"),
    (VGG, "a top-1 error that is 7 % higher (section 4.1)"),
    (VGG, "had a top-5 error of 7.3 % on the test images. GoogLeNet’s seven had 6.7 %"),
    (VGG, "networks reached 6.8 %. One alone reached 7.0 %, and a single GoogLeNet 7.9 %"),
    (RESNET, "has 69,632 weights, and a basic block 1,179,648"),
    (RESNET, "options A, B and C have 25.03 , 24.52 and 24.19 % (Table 3)"),
    (RESNET, "With 152 layers the top-1 error is 21.43 %. VGG-16 has 28.07 %"),
    (RESNET, "34 layers has an error of 28.54 %, the one with 18 layers 27.94 % (Table 2)"),
    (RESNET, "With shortcuts 34 layers are better than 18, 25.03 % with option A"),
    (RESNET, "fewer multiply-adds than VGG-19’s 19.6 billion"),
    (RESNET, "from 8.75 % at 20 layers to 6.43 % at 110 ( 6.61 ± 0.16 % over five runs)"),
    (RESNET, "A network of 1202 layers trains as well but has 7.93 % (Table 6)"),
    (RESNET, "a top-5 error of 4.49 % on the validation images"),
    (RESNET, "An ensemble has 3.57 % on the test images"),
    (RESNET, "rises from 73.2 to 76.4 % on PASCAL VOC 2007 and from 21.2 to 27.2 % on COCO"),
    (RESNET, "reduces the error on CIFAR-10 from 7.61 to 4.92 %"),
]
ROWS = [
    (VGG, ["A", "11", "132,863,336", "7.6"]),
    (VGG, ["D", "16", "138,357,544", "15.5"]),
    (VGG, ["E", "19", "143,667,240", "19.6"]),
    (VGG, ["D, 256", "one scale (Table 3)", "27.0"]),
    (VGG, ["D, [256; 512]", "one scale (Table 3)", "25.6"]),
    (VGG, ["D, [256; 512]", "three scales (Table 4)", "24.8"]),
    (VGG, ["D", "multi-crop (Table 5)", "24.6"]),
    (VGG, ["D", "multi-crop and dense (Table 5)", "24.4"]),
    (VGG, ["D and E", "multi-crop and dense (Table 6)", "23.7"]),
    (RESNET, ["18", "basic, 2-2-2-2", "11,689,512", "1.8", "1.8", "27.9"]),
    (RESNET, ["50", "bottleneck, 3-4-6-3", "25,557,032", "3.9", "3.8", "22.9"]),
    (RESNET, ["152", "bottleneck, 3-8-36-3", "60,192,808", "11.3", "11.3", "21.4"]),
]


@pytest.mark.parametrize(("page", "words"), WORDS)
def test_it_quotes_the_paper(book: "Book", page: str, words: str) -> None:
    assert words.replace(" ", "") in book.text(page).replace(" ", "")


@pytest.mark.parametrize(("page", "row"), ROWS)
def test_its_tables_hold_the_papers_figures(book: "Book", page: str, row: list[str]) -> None:
    rows = [[cell for cell in cells if "conv3" not in cell] for cells in book.rows(page)]
    assert row in rows


@pytest.mark.parametrize("page", [VGG, RESNET])
def test_it_has_the_sections_of_a_summary(book: "Book", page: str) -> None:
    headings = [heading.get_text().removesuffix("#") for heading in book.article(page).select("h2")]
    middle = ["Architecture", "Training", "Results", "What was learnt"]
    assert headings == ["Question", "Idea", *middle, "What followed"]
