"""N-MNIST: supervised learning with the liquid state machine.

`bash lsm/run_nmnist.sh --help` lists rows and constants.
"""

from dataclasses import dataclass

from harness.cli import main
from harness.config import constant
from harness.protocol import Metric, Run, Table
from lsm.data import nmnist
from lsm.data.storage import SpikeSet
from lsm.reservoir import NMNIST
from lsm.tables.supervised import SupervisedConfig
from lsm.tables.supervised_figures import draw_figures
from lsm.tables.supervised_rows import lsm_rows, trained_rows
from lsm.training.recurrent import NMNIST_RNN, NMNIST_SRNN_ANN, NMNIST_SRNN_SNN

SOURCE = "LSM, Nature Computational Science 5:37 (2025), published code"


@dataclass(frozen=True)
class NmnistConfig(SupervisedConfig):
    """Constants of the N-MNIST table; edit them here or with --set name=value."""

    decay: float = constant(
        NMNIST.decay, "of a membrane, what a step leaves of it (LSM, code)", low=0, high=1
    )
    threshold: float = constant(NMNIST.threshold, "Vth, membrane units (LSM, code)", low=0)
    const: float = constant(NMNIST.const, "membrane units per uS of weight (LSM, code)", low=1e-9)
    steps: int = constant(NMNIST.steps, "a recording is binned to (LSM, code)", low=25)
    epochs: int = constant(100, "of the paper's readout (LSM, code)", low=1, smoke=3)
    batch_size: int = constant(100, "of the paper's readout (LSM, code)", low=1)
    learning_rate: float = constant(1e-4, "of Adam in the paper's readout (LSM, code)", low=0)
    large_neurons: int = constant(2000, "of the larger LSM+", low=1, high=4000, smoke=300)
    large_gain: float = constant(
        0.25, "recurrent drive of the larger LSM+ over that of the paper's reservoir", low=0
    )
    large_windows: int = constant(3, "time windows of the larger LSM+", low=1, high=25)


def load(run: Run, steps: int | None = None) -> SpikeSet:
    """The data set of the run, in `steps` steps or its own."""
    steps = steps or run.config.steps
    return nmnist.load(run.data_root, kind=run.config.data_kind, tiny=run.smoke, steps=steps)


TRAINED = (
    ("SRNN-ANN", NMNIST_SRNN_ANN, Metric(paper=96.96, paper_source=SOURCE)),
    ("SRNN-SNN", NMNIST_SRNN_SNN, Metric(paper=93.93, paper_source=SOURCE)),
    ("RNN", NMNIST_RNN, Metric(paper=96.23, paper_source=SOURCE)),
)

TABLE = Table(
    name="nmnist",
    title="N-MNIST",
    command="lsm/run_nmnist.sh",
    paper_data=nmnist.INFO.name,
    config=NmnistConfig,
    rows=(
        *lsm_rows(
            software=Metric(paper=89.11, paper_source=SOURCE),
            chip=Metric(paper=89.66, paper_source=SOURCE + ", on the chip"),
            optimizer="adam",
        ),
        *trained_rows(TRAINED, load),
    ),
    load=load,
    figures=draw_figures,
    next_step="bash lsm/run_nmnist.sh --rows SRNN-ANN --seeds 1 --set trained_epochs=3",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
