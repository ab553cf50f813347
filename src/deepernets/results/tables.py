"""The table of reported results beside ours, to print as text, Markdown or CSV."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from deepernets.recipes import list_recipes
from deepernets.results.comparison import NOT_RUN, Measured, Row, ours

if TYPE_CHECKING:
    from pandas import DataFrame


def table(shown: Sequence[Row], cost: Callable[[str], str] | None = None) -> "DataFrame":
    """Return rows as a table to print: text, Markdown or CSV.

    Args:
        shown: As `rows` gives them.
        cost: Says what a recipe that was not run would take; None to say nothing.

    Returns:
        One row each: report, model, data, recipe, reported (accuracy in per cent) and epochs (the report's); then
        of our whole runs of their recipe and of ours the accuracy, and how it was measured; where there is none,
        ``not run`` and the cost. The papers' rows have no recipe of ours.

    >>> from deepernets.results.comparison import rows
    >>> table(rows([]))[["model", "reported", "their recipe"]].head(1).to_dict("records")
    [{'model': 'VGG-16', 'reported': '91.2', 'their recipe': 'not run'}]
    """
    from pandas import DataFrame

    def run(name: str, group: Measured | None) -> tuple[str, str]:
        if group:
            return str(group), group.particulars
        if name not in list_recipes():
            return "", ""
        return NOT_RUN, cost(name) if cost else ""

    return DataFrame(
        {
            "report": row.report,
            "model": row.model,
            "data": row.data,
            "recipe": row.what,
            "reported": row.printed,
            "epochs": row.reported.epochs,
            **dict(zip(("their recipe", "how measured"), run(row.reported.recipe, row.theirs), strict=True)),
            **dict(
                zip(("our recipe", "how ours was"), run(ours(row.reported.recipe), row.ours), strict=True)
            ),
        }
        for row in shown
    )
