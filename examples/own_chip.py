"""A measured array as the chip: from a CSV file of conductances to weights and a noisy read.

python examples/own_chip.py my_array.csv    # uS, 0 for cells that did not break
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from rram import DEPLM_40NM, Chip, Crossbar, ReadConfig

if len(sys.argv) > 1:
    path = Path(sys.argv[1])
else:  # a made-up one: 60 x 40 cells, half of them broken
    rng = np.random.default_rng(0)
    cells = rng.normal(30, 5, (60, 40)) * (rng.random((60, 40)) < 0.5)
    path = Path(tempfile.mkdtemp()) / "my_array.csv"
    np.savetxt(path, cells, delimiter=",", fmt="%.2f")

chip = Chip.from_map(path, seed=0)
weights = chip.weights("my layer", (6, 51))  # G+ - G- of cells of the array
preset = Chip(DEPLM_40NM, seed=0).weights("my layer", (6, 51))
print(f"{path.name}: {(weights == 0).float().mean():.0%} of the weights are 0")
print(f"spread of the weights {weights.std():.1f} uS, on the papers' chip {preset.std():.1f} uS")
print(f"{chip.cells} cells in use: each half of the pair takes {chip.map_reuse:.0%} of the array")

pair = chip.age(3600).conductances("my layer", (6, 51))  # an hour after programming
x = torch.rand(1000, 6)
exact = x @ pair.weights
noisy = Crossbar(pair, ReadConfig(read_noise=0.02, input_bits=6)).product(x, key=1)
error = (noisy - exact).std() / exact.std()
print(f"2 % read noise and 6-bit inputs: the products are off by {error:.1%} of their spread")
