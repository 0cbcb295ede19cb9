"""The one error a user is meant to see."""


class UserError(ValueError):
    """Bad input or a bad environment, told in one line: what was wrong, where, what to do.

    Programs print it without a traceback and leave with its exit status.
    """

    status = 2


class NoRealData(UserError):
    """What was asked for needs real recordings, and there are none."""

    status = 3
