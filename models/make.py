"""Fit the models of this folder on the data of their tables, and keep them.

    python models/make.py [--data DIR]      (about 3 minutes on 2 cores)

Each is checked against the figure of its row in `results/`; `rrm evaluate models/*.safetensors`
then needs no training.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from deplm import DEPLMClassifier
from deplm.tables import image
from harness.data.datasets import data_root, project_root
from harness.readouts.discriminative import DiscriminativeRidge
from harness.run.protocol import Run, Table
from lsm import LSMClassifier, ReadConfig
from lsm.tables import nmnist_real

CHIP = 0
DEPLM_ROW = "DEPLM, discriminative ridge (re-targeted)"
PLUS_ROW = "DEPLM+ (same weight budget), discriminative ridge"
LSM_ROW = "LSM, chip, discriminative ridge"


def run_of(table: Table, root: Path) -> Run:
    """The table's usual constants on its data."""
    run = Run(table.config(), [CHIP], "cpu", root, project_root() / "results", table=table.name)
    run.data = table.load(run)
    return run


def keep(
    table: Table, run: Run, row: str, model: DEPLMClassifier | LSMClassifier, name: str
) -> None:
    """Save a fitted model if it has the digits of its row, else say so and stop."""
    X, y = table.test_samples(run)
    value = 100 * float(np.mean(model.predict(X) == y))
    records = json.loads((run.results / f"{table.name}.json").read_text(encoding="utf-8"))["rows"]
    (record,) = (r for r in records if (r["row"], r["metric"]) == (row, "accuracy"))
    if abs(record["values"][CHIP] - value) >= 0.005:
        raise SystemExit(f"{row}: {value:.2f} %, its row has {record['values'][CHIP]:.2f} %")
    path = Path(__file__).parent / f"{name}.safetensors"
    about = {"table": table.name, "row": row, "chip": CHIP, "value": value, "settings": []}
    model.save(path, **about, data_sha256=run.data.record.sha256)
    print(f"{path.name}: {value:.2f} %, {path.stat().st_size / 1000:.0f} kB", flush=True)


def main() -> None:
    """Fit and keep them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="data folder (default: DATA_ROOT, else data/)")
    root = data_root(parser.parse_args().data)

    run = run_of(nmnist_real.TABLE, root)
    c = run.config
    readout = DiscriminativeRidge(None, c.penalties, c.discriminative_steps)
    liquid = LSMClassifier(chip=CHIP, read=ReadConfig(c.read_noise), readout=readout)
    liquid.fit(run.data.train, run.data.train_labels)
    keep(nmnist_real.TABLE, run, LSM_ROW, liquid, "nmnist_real_lsm")

    run = run_of(image.TABLE, root)
    c, train = run.config, run.data.train
    network = image.plus_network(c.plus_channels, c.plus_second)
    wide = DiscriminativeRidge(None, image.WIDE_PENALTIES, 8, np.float32)
    for name, row, sizes, readout in (
        ("fashion_mnist_deplm", DEPLM_ROW, None, DiscriminativeRidge(steps=32)),
        ("fashion_mnist_deplm_plus", PLUS_ROW, network, wide),
    ):
        model = DEPLMClassifier(sizes, chip=CHIP, readout=readout).fit(train.images, train.labels)
        keep(image.TABLE, run, row, model, name)


if __name__ == "__main__":
    main()
