"""Event pixels as a plain loop over frames and pixels."""

import math
from itertools import pairwise

import numpy as np


def event_pixels(frames, frame_us, thresholds, refractory_us):
    """Rows (time in us, x, y, polarity) in the order of frames, rows and columns."""
    events = []
    remembered, fired = frames[0].copy(), {}
    for number, (old, new) in enumerate(pairwise(frames)):
        for y, x in np.ndindex(new.shape):
            while True:
                p = int(new[y, x] > remembered[y, x])
                size = thresholds[p, y, x]
                if abs(new[y, x] - remembered[y, x]) < size:
                    break
                remembered[y, x] += size if p else -size
                share = (remembered[y, x] - old[y, x]) / (new[y, x] - old[y, x])
                t = (number + float(share)) * frame_us
                if math.floor(t) - fired.get((y, x), -math.inf) >= refractory_us:
                    fired[y, x] = math.floor(t)
                    events.append((t, x, y, p))
    return np.array(events)
