"""Commands for those who teach the course."""

from pathlib import Path

from cyclopts import App

from deepernets.exceptions import UserError

app = App()
labs = App(name="labs", help="The labs and their solutions.")
app.command(labs)


@labs.command
def build(
    *names: str,
    check: bool = False,
    repository: str | None = None,
    ref: str | None = None,
    without_solutions: Path | None = None,
) -> None:
    """Make the solutions' and the students' notebooks from their masters.

    With --repository or --ref nothing is executed: links, set-up cells and _config.yml are pointed elsewhere.

    Args:
        names: Labs to make, by the start of their name, such as 03; all where none is named.
        check: Write nothing; fail if a notebook differs from what its master makes.
        repository: Address of the fork to point at, https://github.com/OWNER/NAME.
        ref: Its branch or tag.
        without_solutions: New folder for a hand-out without masters and solutions; only this copy is pointed at
            --repository and --ref.
    """
    from deepernets.course import forks
    from deepernets.course import labs as made

    pointing = repository is not None or ref is not None
    if check + bool(names) + (pointing or without_solutions is not None) > 1:
        raise UserError(
            "Names, --check, and --repository, --ref or --without-solutions ask for different things; "
            "give one of them at a time."
        )
    if without_solutions:
        print(f"The hand-out lies in {forks.hand_out(Path(), without_solutions, repository, ref)}")
    elif pointing:
        forks.point_at(Path(), repository, ref)
    elif check:
        made.check()
    else:
        made.build(wanted=names)
