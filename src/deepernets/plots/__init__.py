"""Every picture of the course. Each function returns a `matplotlib.figure.Figure` and keeps no state.

Colours come from seaborn's colour-blind-safe palette, and no difference is told by colour alone. `describe`
puts what a figure of a record shows into words, for those who do not see it.
"""

from deepernets.plots.networks import configuration_chart, samples
from deepernets.plots.runs import confusion, curves, describe, learning_rate_range, mistakes
from deepernets.plots.style import save

__all__ = [
    "configuration_chart",
    "confusion",
    "curves",
    "describe",
    "learning_rate_range",
    "mistakes",
    "samples",
    "save",
]
