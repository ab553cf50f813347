import numpy as np
import pytest

from deepernets.analysis.performance import Machine
from deepernets.plots import scaling


def test_layers_stand_on_the_roof() -> None:
    machine = Machine(operations_per_second=100e12, bytes_per_second=10e12)
    ax = scaling.roofline(machine, {"slow": 1.0, "fast": 40.0}).axes[0]
    roof, slow, fast = ax.lines
    assert np.asarray(slow.get_ydata()).tolist() == [10]
    assert np.asarray(fast.get_ydata()).tolist() == [100]
    assert max(np.asarray(roof.get_ydata())) == pytest.approx(100)
    assert slow.get_marker() != fast.get_marker()


def test_every_network_has_a_line_of_its_own_kind() -> None:
    ax = scaling.efficiencies([1, 8], {"one": [1.0, 0.5], "other": [1.0, 0.9]}).axes[0]
    assert [line.get_label() for line in ax.lines] == ["one", "other"]
    assert len({line.get_linestyle() for line in ax.lines}) == 2
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "8"]
