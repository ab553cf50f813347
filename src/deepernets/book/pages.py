"""What the book's pages share: tables, numbers in sentences, and where a recorded run comes from."""

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from deepernets.progress import format_duration
from deepernets.training.records import Record, load_records

if TYPE_CHECKING:
    from IPython.display import Markdown
    from pandas import DataFrame

    from deepernets.results.comparison import Measured, Row


def show_table(frame: "DataFrame | Sequence[dict[str, Any]]", decimals: int = 1) -> "Markdown":
    """Set a table: thousands apart, a fixed number of decimals, a dash where a value is missing.

    Names of columns get spaces for their underscores.

    Args:
        frame: A table, or its rows.
        decimals: Digits after the point of numbers that are not whole.
    """
    import pandas as pd

    table = pd.DataFrame(frame).astype(object)  # whole numbers stay whole beside others
    table = table.map(lambda value: _number(value, decimals), na_action="ignore")
    table = table.rename(columns=lambda name: str(name).replace("_", " "))
    table = table.astype(object).where(table.notna(), None)
    return text_table(table)


def text_table(frame: "DataFrame") -> "Markdown":
    """Return a table of texts as they are, with a dash where one is missing."""
    from IPython.display import Markdown

    return Markdown(frame.to_markdown(index=False, disable_numparse=True, missingval="–"))


def _number(value: Any, decimals: int) -> Any:
    """Return a number as text, and anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return f"{int(value):,}"
    return f"{float(value):z,.{decimals}f}" if isinstance(value, Real) else value


def show_reported(rows: "Sequence[Row]") -> "Markdown":
    """Return a table of reported results, our run of each recipe, and our own recipe for the network and data.

    Only whole runs are shown. A result of which neither recipe was run whole is left out, and a dash is in the
    place of one that was not. A column is left out if it would have dashes only, and the name of the data set if
    there is only one.

    Args:
        rows: As `deepernets.results.comparison.compare_reported` returns them.
    """
    import pandas as pd

    def reached(group: "Measured | None") -> str:
        return f"{group} ({group.particulars})" if group else "–"

    shown = [row for row in rows if row.was_run]
    several = len({row.data for row in shown}) > 1
    frame = pd.DataFrame(
        {
            "reported": f"{row.model}, {f'{row.data}, ' * several}{row.what}, {row.reported.epochs} epochs",
            "%": row.printed,
            "our run of it, %": reached(row.theirs),
            "our recipe, %": reached(row.ours),
        }
        for row in shown
    )
    return text_table(frame.loc[:, (frame != "–").any()])


_HIDDEN = "application/papermill.record/"  # MyST-NB finds what is displayed so, and shows nothing


def glue(**numbers: Any) -> None:
    """Give the text around a page's cells these numbers, under these names.

    In the text, ``{glue:text}`name:.1f` `` shows one. The cell that calls this carries the tag ``remove-cell``. It
    is MyST-NB's ``glue`` without what that imports, more than a second for each page.
    """
    from IPython.display import display

    for name, number in numbers.items():
        value = number.item() if hasattr(number, "item") else number
        display(
            {f"{_HIDDEN}text/plain": repr(value)},
            raw=True,
            metadata={"scrapbook": {"name": name, "mime_prefix": _HIDDEN}},
        )


def find_record(recipe: str, **wanted: Any) -> Record | None:
    """Return the first recorded run of a recipe, or None: the page then says what is missing.

    Args:
        recipe: Its name.
        **wanted: What else the record must have: ``profile="full"``, ``seed=0``; ``requested_precision="fp32"`` for
            a run in a precision that was requested explicitly.
    """
    for record in load_records(recipe, requested_precision=wanted.get("requested_precision", "auto")):
        if all(getattr(record, name) == value for name, value in wanted.items()):
            return record
    return None


def record_summary(record: Record) -> "Markdown":
    """Say in a table where a record comes from and what it reached."""
    import pandas as pd

    from deepernets.plots.runs import smoothing_note

    model, data = record.model, record.data
    images = f"{data['train']:,} training, {data['validation']:,} validation and {data['test']:,} test images"
    rows = {
        "network": f"`{model['name']}`, {model['parameters']:,} parameters",
        "data": f"{data['name']}, variant `{data['variant']}`: {images}",
        "recipe": f"`{record.recipe.name}`, profile {record.profile}",
        "epochs, seed": f"{len(record.epochs)} epochs, seed {record.seed}",
        "machine": f"{record.device}, {record.precision}",
        "date, training time": f"{record.date}, {format_duration(record.seconds['training'])}",
        f"last training loss{smoothing_note(record)}": f"{record.epochs[-1]['train_loss']:.4f}",
        "**test accuracy**": f"**{record.test['accuracy']:.2%}**",
    }
    return text_table(pd.DataFrame(rows.items(), columns=["property", "as recorded"]))


def setup(app: Any) -> dict[str, bool]:
    """Make this module an extension of Sphinx, which is what the book is built with."""
    from deepernets.book.figures import InlineFigures  # Sphinx is not imported by the pages' cells
    from deepernets.book.typography import Typography

    os.environ.setdefault("DEEPERNETS_FIGURES", "svg")  # for the pages that Sphinx executes
    app.add_post_transform(InlineFigures)
    app.add_post_transform(Typography)
    for part in ("editions", "glossary", "search_texts"):
        app.setup_extension(f"{__package__}.{part}")
    os.environ.setdefault("TQDM_DISABLE", "1")  # for the pages' kernels: a page shows no progress bars
    app.connect("html-page-context", _with_links_inside, priority=900)
    app.connect("html-page-context", _without_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _with_links_inside(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let the labs' links to chapters of the published book lead to those of this one."""
    if "body" in context and (address := app.config.html_baseurl.rstrip("/")):
        top = context["pathto"]("", resource=True).rstrip("/") or "."
        context["body"] = context["body"].replace(f'href="{address}/book/', f'href="{top}/book/')


def _without_thebe(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out the scripts that run cells on a server; Jupyter Book adds them twice, which is an error."""
    scripts = context.get("script_files", [])
    context["script_files"] = [
        script for script in scripts if "thebe" not in f"{script} {getattr(script, 'attributes', {})}".lower()
    ]
