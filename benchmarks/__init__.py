"""Speed and memory against the oracles and against peers, side by side in one run."""
