"""The table of reported results beside ours, to print as text, Markdown or CSV."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from deepernets.analysis.reproduction import NOT_RUN, Row, ours
from deepernets.training.recipe import recipes

if TYPE_CHECKING:
    from pandas import DataFrame


def table(shown: Sequence[Row], cost: Callable[[str], str] | None = None) -> "DataFrame":
    """Return rows as a table to print: text, Markdown or CSV.

    Args:
        shown: As `rows` gives them.
        cost: Says what a recipe that was not run would take; None to say nothing.

    Returns:
        One row each: report, model, data, recipe, reported (accuracy in per cent) and epochs (the report's); then
        of our runs of their recipe and of ours the accuracy, ``not run`` where there is none, and how it was
        measured. The papers' rows have no recipe of ours.

    >>> from deepernets.analysis.reproduction import rows
    >>> table(rows([]))[["model", "reported", "their recipe"]].head(1).to_dict("records")
    [{'model': 'VGG-16', 'reported': '91.2', 'their recipe': 'not run'}]
    """
    from pandas import DataFrame

    def missing(name: str) -> str:
        if name not in recipes():
            return ""
        return f"{NOT_RUN} ({cost(name)})" if cost else NOT_RUN

    return DataFrame(
        {
            "report": row.report,
            "model": row.model,
            "data": row.data,
            "recipe": row.what,
            "reported": row.printed,
            "epochs": row.reported.epochs,
            "their recipe": str(row.theirs or missing(row.reported.recipe)),
            "how measured": row.theirs.particulars if row.theirs else "",
            "our recipe": str(row.ours or missing(ours(row.reported.recipe))),
            "how ours was": row.ours.particulars if row.ours else "",
        }
        for row in shown
    )
