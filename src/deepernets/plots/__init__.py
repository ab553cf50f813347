"""The figures of the course. Each function takes data and returns a `matplotlib.figure.Figure`; none keeps state.

`style` holds all colours. The functions that every run needs are offered here too; all others are in the modules,
such as `architecture.residual_blocks`.
"""

import os

from deepernets.plots.architecture import configuration_chart
from deepernets.plots.data import class_samples
from deepernets.plots.runs import confusion, curves, describe_run, learning_rate_range, mistakes
from deepernets.plots.style import save

__all__ = [
    "class_samples",
    "configuration_chart",
    "confusion",
    "curves",
    "describe_run",
    "learning_rate_range",
    "mistakes",
    "save",
]

if os.environ.get("DEEPERNETS_FIGURES") == "svg":  # in the cells of the book's pages
    from deepernets.plots.svg import show_figures

    show_figures()
