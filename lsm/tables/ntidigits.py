"""N-TIDIGITS: supervised learning with the liquid state machine.

`bash lsm/run_ntidigits.sh --help` lists rows and constants.
"""

from dataclasses import dataclass

from harness.cli import main
from harness.config import constant
from harness.protocol import Metric, Run, Table
from lsm.data import ntidigits
from lsm.data.storage import SpikeSet
from lsm.reservoir import NTIDIGITS
from lsm.tables.supervised import SupervisedConfig
from lsm.tables.supervised_figures import draw_figures
from lsm.tables.supervised_rows import lsm_rows, trained_rows
from lsm.training.recurrent import NTIDIGITS_RNN, NTIDIGITS_SRNN_ANN, NTIDIGITS_SRNN_SNN

SOURCE = "LSM, Nature Computational Science 5:37 (2025), published code"


@dataclass(frozen=True)
class NtidigitsConfig(SupervisedConfig):
    """Constants of the N-TIDIGITS table; edit them here or with --set name=value."""

    decay: float = constant(
        NTIDIGITS.decay, "of a membrane, what a step leaves of it (LSM, code)", low=0, high=1
    )
    threshold: float = constant(NTIDIGITS.threshold, "Vth, membrane units (LSM, code)", low=0)
    const: float = constant(
        NTIDIGITS.const, "membrane units per uS of weight (LSM, code)", low=1e-9
    )
    steps: int = constant(NTIDIGITS.steps, "an utterance has at most (LSM, code)", low=25)
    epochs: int = constant(600, "of the paper's readout (LSM, code)", low=1, smoke=3)
    batch_size: int = constant(256, "of the paper's readout (LSM, code)", low=1)
    learning_rate: float = constant(6e-4, "of AdamW in the paper's readout (LSM, code)", low=0)
    plus_windows: int = constant(4, "time windows in which LSM+ counts spikes", low=1, high=25)
    plus_membranes: int = constant(0, "times at which LSM+ reads membranes", low=0, high=25)
    large_neurons: int = constant(1000, "of the larger LSM+", low=1, high=4000, smoke=300)
    large_windows: int = constant(4, "time windows of the larger LSM+", low=1, high=25)


def load(run: Run, steps: int | None = None) -> SpikeSet:
    """The data set of the run, in at most `steps` steps or its own number."""
    steps = steps or run.config.steps
    return ntidigits.load(run.data_root, kind=run.config.data_kind, tiny=run.smoke, steps=steps)


TRAINED = (
    ("SRNN-ANN", NTIDIGITS_SRNN_ANN, Metric(paper=82.62, paper_source=SOURCE)),
    ("SRNN-SNN", NTIDIGITS_SRNN_SNN, Metric(paper=63.75, paper_source=SOURCE)),
    ("RNN", NTIDIGITS_RNN, Metric(paper=75.54, paper_source=SOURCE)),
)

TABLE = Table(
    name="ntidigits",
    title="N-TIDIGITS",
    command="lsm/run_ntidigits.sh",
    paper_data=ntidigits.INFO.name,
    config=NtidigitsConfig,
    rows=(
        *lsm_rows(
            software=Metric(paper=70.79, paper_source=SOURCE),
            chip=Metric(paper=70.11, paper_source=SOURCE + ", on the chip"),
            optimizer="adamw",
        ),
        *trained_rows(TRAINED, load),
    ),
    load=load,
    figures=draw_figures,
    next_step="bash lsm/run_ntidigits.sh --rows SRNN-ANN --seeds 1 --set trained_epochs=20",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
