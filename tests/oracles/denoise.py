"""The background-activity filter as one would say it aloud."""


def supported(x, y, t_us, window_us):
    """True for every event that an earlier event on one of the 8 pixels around it supports.

    Earlier means before it in the list, and only the newest event of each pixel counts, which
    for sorted times is the one closest in time.
    """
    keep = []
    for i in range(len(t_us)):
        near = [
            t_us[i] - t_us[j] <= window_us
            for j in range(i)
            if max(abs(x[i] - x[j]), abs(y[i] - y[j])) == 1
        ]
        keep.append(any(near))
    return keep
