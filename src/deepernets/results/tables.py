"""The table of reported results and ours, to print as text, Markdown or CSV."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from deepernets.recipes import list_recipes
from deepernets.results.comparison import NOT_RUN, Measured, Row, ours

if TYPE_CHECKING:
    from pandas import DataFrame


def table(shown: Sequence[Row], cost: Callable[[str], str] | None = None) -> "DataFrame":
    """Return a table of compared results.

    Args:
        shown: As `compare_reported` returns them.
        cost: Returns the cost of a recipe that was not run, as text; None to leave it out.

    Returns:
        One row each: report, model, data, recipe, reported (accuracy in per cent) and epochs (the report's); then,
        for our complete runs of their recipe and of ours, the accuracy and how it was measured, or ``not run`` and
        the cost. The papers' rows have no recipe of ours.

    >>> from deepernets.results.comparison import compare_reported
    >>> table(compare_reported([]))[["model", "reported", "their recipe"]].head(1).to_dict("records")
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
