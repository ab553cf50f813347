"""The command line, ``deepernets``.

PyTorch is imported inside the commands, so that ``--help`` answers at once.
"""

import os
import sys
import warnings
from importlib.util import find_spec
from typing import Any, NoReturn

from cyclopts import App, CycloptsError, UnusedCliTokensError

from deepernets.cli import bench, course, listing, results, runs, trained
from deepernets.cli.terminal import wrap
from deepernets.errors import ImagesChangedWarning, UserError

COURSE = ("jupytext", "nbclient", "nbformat", "tabulate", "yaml")  # what commands use of the extra `course`

app = App(
    name="deepernets",
    help="Deeper Networks, from paper to practice: train networks and compare results.",
)
for part in (runs, trained, listing, results, course, bench):
    app.update(part.app)
app.register_install_completion_command(
    help="Let Tab complete commands and options in bash, zsh, fish or PowerShell; `--shell` names the shell."
)
_show_other_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """Print a warning about the user's images as one sentence, without the line of code that gave it."""
    if issubclass(category, ImagesChangedWarning):
        _complain(str(message))
    else:
        _show_other_warning(message, category, *place, **more)


def _complain(message: str) -> None:
    """Print a sentence to standard error, wrapped for a terminal."""
    print(wrap(f"deepernets: {message}", sys.stderr), file=sys.stderr)


def _fail(message: str) -> NoReturn:
    _complain(message)
    sys.exit(2)


def _use_plain_help() -> None:
    """Print help without colours and frames, which carry no meaning and which a screen reader reads aloud."""
    from cyclopts.help import DefaultFormatter, PanelSpec
    from rich.box import SIMPLE_HEAD
    from rich.console import Console

    app.console = Console(color_system=None)
    app.help_formatter = DefaultFormatter(panel_spec=PanelSpec(box=SIMPLE_HEAD, padding=(0, 0, 0, 4)))


def main(words: list[str] | None = None) -> None:
    """Run the command line; a `UserError` is printed as one sentence, with exit status 2."""
    warnings.showwarning = _show_warning
    _use_plain_help()
    try:
        app(sys.argv[1:] if words is None else words, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        command = " ".join(("deepernets", *(error.command_chain or ())))
        _fail(f"{command} does not expect {' '.join(error.unused_tokens or ())}; see {command} --help.")
    except (UserError, CycloptsError) as error:
        _fail(str(error))
    except ImportError:
        if not (missing := [name for name in COURSE if find_spec(name) is None]):
            raise
        _fail(
            f"This command needs packages that are not installed ({', '.join(missing)}); install "
            "deepernets[course]."
        )
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # as in `deepernets recipes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # such as a path that the file system does not accept
        place = f"{error.filename} cannot be used" if error.filename else "A file cannot be used"
        _fail(f"{place} ({error.strerror or error}); choose another path.")
