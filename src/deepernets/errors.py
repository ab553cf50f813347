"""The one exception a user can do something about."""


class UserError(ValueError):
    """A mistake in what the user asked for, told in one sentence.

    The sentence says what was wrong, what was expected and what to do. The command line prints it without a
    traceback and leaves with exit status 2; in a notebook it is an ordinary ``ValueError``.
    """
