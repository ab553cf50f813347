import numpy as np

from deepernets.plots.published_resnet import cifar_errors, error_by_work
from deepernets.published.resnet import CIFAR_10, TEN_CROP


def test_every_network_of_the_tables_is_drawn_at_its_error() -> None:
    billions = {row.network: float(place + 2) for place, row in enumerate(TEN_CROP)}
    (ax,) = error_by_work(billions).axes
    drawn = {(*np.asarray(line.get_xdata()), *np.asarray(line.get_ydata())) for line in ax.lines}
    assert drawn == {(billions[row.network], row.top1) for row in TEN_CROP}
    assert ax.get_legend_handles_labels()[1] == ["VGG", "plain", "ResNet"]


def test_cifar_errors_go_by_parameters_and_name_their_depth() -> None:
    (ax,) = cifar_errors({depth: depth * 10_000 for depth in CIFAR_10}).axes
    assert np.asarray(ax.lines[0].get_ydata()).tolist() == [result.error for result in CIFAR_10.values()]
    assert {text.get_text() for text in ax.texts} == {str(depth) for depth in CIFAR_10}
