"""A kind of cell of your own: from measured cells to a device, a chip, and an accuracy.

python examples/own_device.py breakdown.csv conductance.csv    # V; uS, 0 for unbroken cells
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from deplm import DEPLMClassifier
from rram import Chip, Device

if len(sys.argv) > 2:
    breakdown, conductance = map(Path, sys.argv[1:3])
else:  # made-up cells: they break at 3.2 V, and conduct 50 uS, more or less
    rng, folder = np.random.default_rng(0), Path(tempfile.mkdtemp())
    breakdown, conductance = folder / "breakdown.csv", folder / "conductance.csv"
    np.savetxt(breakdown, rng.normal(3.2, 0.2, (20, 20)), delimiter=",")
    np.savetxt(conductance, rng.normal(50, 12, (20, 20)).clip(0), delimiter=",")

device = Device.from_measurements(breakdown, conductance)
print(
    f"broken cells conduct {device.conductance_mean_us:.1f} uS, +- {device.conductance_std_us:.1f}"
)

digits = load_digits()
images = np.kron(digits.images[:400], np.ones((1, 3, 3)))  # 24 x 24 pixels
for volts in (device.programming_voltage_v(sparsity=s) for s in (0.9, 0.5)):
    chip = Chip(device, seed=0, programming_voltage_v=volts)
    model = DEPLMClassifier(chip=chip).fit(images[:300], digits.target[:300])
    correct = model.score(images[300:], digits.target[300:400])
    broken = device.broken_fraction(volts)
    print(f"pulse of {volts:.2f} V, {broken:.0%} of cells broken: {correct:.1%} of 100 test images")
