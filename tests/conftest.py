"""What tests of several packages share: the command line, run in this process."""

from collections.abc import Callable

import pytest

from deepernets import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command: from its words to exit status, standard output and standard error."""

    def run_command(*words: object) -> tuple[int, str, str]:
        status = 0
        try:
            cli.main([str(word) for word in words])
        except SystemExit as end:
            status = int(end.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run_command
