"""The one error a user is meant to see."""


class UserError(ValueError):
    """Bad input or a bad environment, told in one line: what was wrong, where, what to do.

    Programs print it without a traceback and leave with exit status 2.
    """
