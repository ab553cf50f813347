from deepernets.models.resnet import BLOCKS
from deepernets.plots import blocks


def test_the_picture_shows_the_convolutions_of_the_table() -> None:
    figure = blocks.residual_blocks()
    assert [ax.get_title() for ax in figure.axes] == list(BLOCKS)
    for ax in figure.axes:
        kernels = [text.get_text()[0] for text in ax.texts if "×" in text.get_text()]
        assert kernels == [str(kernel) for kernel, _ in BLOCKS[ax.get_title()]]
        assert "shortcut" in [text.get_text() for text in ax.texts]
