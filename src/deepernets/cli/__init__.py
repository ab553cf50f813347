"""The command line, ``deepernets``.

PyTorch is imported inside the commands, so that ``--help`` answers at once.
"""

import os
import sys
import warnings
from importlib.util import find_spec
from typing import Any

from cyclopts import App, CycloptsError

from deepernets.cli import bench, course, listing, results, runs, trained
from deepernets.errors import ImagesChangedWarning, UserError

COURSE = ("jupytext", "nbclient", "nbformat", "tabulate", "yaml")  # what commands use of the extra `course`

app = App(
    name="deepernets",
    help="Deeper Networks, from paper to practice: train networks and compare results.",
)
for part in (runs, trained, listing, results, course, bench):
    app.update(part.app)


_show_other_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """Print a warning about the user's images as one sentence, without the line of code that gave it."""
    if issubclass(category, ImagesChangedWarning):
        print(f"deepernets: {message}", file=sys.stderr)
    else:
        _show_other_warning(message, category, *place, **more)


def main(words: list[str] | None = None) -> None:
    """Run the command line; a `UserError` is printed as one sentence, with exit status 2."""
    warnings.showwarning = _show_warning
    try:
        app(sys.argv[1:] if words is None else words, exit_on_error=False, print_error=False)
    except (UserError, CycloptsError) as error:
        print(f"deepernets: {error}", file=sys.stderr)
        sys.exit(2)
    except ImportError:
        if not (missing := [name for name in COURSE if find_spec(name) is None]):
            raise
        print(
            f"deepernets: This command needs packages that are not installed ({', '.join(missing)}); install "
            "deepernets[course].",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # as in `deepernets recipes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # such as a path that the file system does not accept
        place = f"{error.filename} cannot be used" if error.filename else "A file cannot be used"
        print(f"deepernets: {place} ({error.strerror or error}); choose another path.", file=sys.stderr)
        sys.exit(2)
