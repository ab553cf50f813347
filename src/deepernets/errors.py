"""The exception for mistakes that the user can correct, and the warning about changed images."""


class UserError(ValueError):
    """A mistake in what the user asked for, explained in one sentence.

    The sentence states what was wrong, what was expected and what to do. The command line prints it without a
    traceback and exits with status 2; in a notebook it is an ordinary ``ValueError``.
    """


class ImagesChangedWarning(UserWarning):
    """Images were not read as they are stored: turned, resized, or laid on white.

    The command line prints it as one sentence.
    """
