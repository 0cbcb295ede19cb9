"""N-MNIST: supervised learning with the liquid state machine.

`bash lsm/run_nmnist.sh --help` lists rows and constants.
"""

from dataclasses import dataclass

from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import Measurement, Metric, Run, Table
from lsm.data import nmnist
from lsm.data.spike_set import SpikeSet
from lsm.probe import seconds_a_recording
from lsm.tables.supervised import SupervisedConfig, costs
from lsm.tables.supervised_figures import draw_figures
from lsm.tables.supervised_trained import table_rows, trained
from lsm.training.recurrent import TrainedSpec

SOURCE = "LSM, Nature Computational Science 5:37 (2025), published code"


@dataclass(frozen=True)
class NmnistConfig(SupervisedConfig):
    """Constants of the N-MNIST table; edit them here or with --set name=value.

    Sources are the published scripts in LSM-NMNIST.
    """

    # The reservoir and its readout (lsm_sim_gaussian.py).
    decay: float = constant(
        0.9, "of a membrane, what a step leaves of it (LSM, lsm_sim_gaussian.py)", low=0, high=1
    )
    threshold: float = constant(5.0, "Vth, membrane units (LSM, lsm_sim_gaussian.py)", low=0)
    const: float = constant(
        0.07, "membrane units per uS of weight (LSM, run_lsm_gau_sim.sh)", low=1e-9
    )
    steps: int = constant(50, "a recording is binned to (LSM, lsm_sim_gaussian.py)", low=25)
    readout_optimizer: str = constant(
        "adam", "of the published readout, or adamw (LSM, lsm_sim_gaussian.py)"
    )
    readout_epochs: int = constant(
        100, "of the published readout (LSM, lsm_sim_gaussian.py)", low=1, smoke=3
    )
    readout_batch_size: int = constant(
        100, "of the published readout (LSM, lsm_sim_gaussian.py)", low=1
    )
    readout_learning_rate: float = constant(
        1e-4, "of the published readout (LSM, lsm_sim_gaussian.py)", low=0, high=100
    )
    large_neurons: int = constant(2000, "of the larger LSM+", low=1, high=4000, smoke=300)
    large_gain: float = constant(
        0.25, "recurrent drive of the larger LSM+ over that of the paper's reservoir", low=0
    )
    large_windows: int = constant(3, "time windows of the larger LSM+", low=1, high=25)
    # The baselines (train_srnn_ann.py, train_srnn_snn.py, train_rnn.py).
    trained_epochs: int = constant(
        100, "of SRNN-ANN, SRNN-SNN and RNN (LSM, train_*.py)", low=1, smoke=1
    )
    trained_batch_size: int = constant(80, "of the same (LSM, train_*.py)", low=1, smoke=20)
    trained_loss: str = constant("mse", "of the same, or cross-entropy (LSM, train_*.py)")
    srnn_decay: float = constant(
        0.9, "of a hidden membrane in SRNN-ANN and SRNN-SNN (LSM, train_srnn_*.py)", low=0, high=1
    )
    srnn_output_decay: float = constant(
        0.9, "of an output membrane in SRNN-SNN (LSM, train_srnn_snn.py)", low=0, high=1
    )
    srnn_threshold: float = constant(
        0.3, "Vth of hidden and output neurons, membrane units (LSM, run_srnn_*.sh)", low=0
    )
    srnn_const: float = constant(
        0.03, "scale of the first weights of SRNN-ANN and SRNN-SNN (LSM, run_srnn_*.sh)", low=0
    )
    srnn_learning_rate: float = constant(
        1e-4, "of Adam in SRNN-ANN and SRNN-SNN (LSM, train_srnn_*.py)", low=0, high=100
    )
    rnn_learning_rate: float = constant(5e-4, "of Adam in RNN (LSM, train_rnn.py)", low=0, high=100)


def load(run: Run) -> SpikeSet:
    """The data set of the run."""
    c = run.config
    return nmnist.load(run.data_root, kind=c.data_kind, tiny=run.smoke, steps=c.steps)


def srnn_ann(run: Run, seed: int) -> Measurement:
    """A spiking recurrent network with a linear readout, trained end to end."""
    return trained(run, seed, "SRNN-ANN", srnn_spec(run.config, "linear"), run.data)


def srnn_snn(run: Run, seed: int) -> Measurement:
    """A spiking recurrent network with a spiking readout, trained end to end."""
    return trained(run, seed, "SRNN-SNN", srnn_spec(run.config, "spiking"), run.data)


def rnn(run: Run, seed: int) -> Measurement:
    """A tanh recurrent network, trained end to end."""
    c = run.config
    spec = TrainedSpec(
        "rnn", nmnist.CHANNELS, c.neurons, len(nmnist.DIGITS), c.steps,
        loss=c.trained_loss, learning_rate=c.rnn_learning_rate,
        batch_size=c.trained_batch_size, epochs=c.trained_epochs, drop_last=True,
    )  # fmt: skip
    return trained(run, seed, "RNN", spec, run.data)


def srnn_spec(c: NmnistConfig, readout: str) -> TrainedSpec:
    """SRNN-ANN (readout "linear") or SRNN-SNN ("spiking")."""
    return TrainedSpec(
        readout, nmnist.CHANNELS, c.neurons, len(nmnist.DIGITS), c.steps,
        decay=c.srnn_decay, threshold=c.srnn_threshold, const=c.srnn_const * c.srnn_weight_std,
        output_decay=c.srnn_output_decay, output_threshold=c.srnn_threshold,
        loss=c.trained_loss, learning_rate=c.srnn_learning_rate,
        batch_size=c.trained_batch_size, epochs=c.trained_epochs, drop_last=True,
    )  # fmt: skip


SOFTWARE_LSM = Metric(paper=89.11, paper_source=SOURCE)
CHIP_LSM = Metric(paper=89.66, paper_source=SOURCE + ", on the chip")
BASELINES = {
    "SRNN-ANN": (srnn_ann, Metric(paper=96.96, paper_source=SOURCE)),
    "SRNN-SNN": (srnn_snn, Metric(paper=93.93, paper_source=SOURCE)),
    "RNN": (rnn, Metric(paper=96.23, paper_source=SOURCE)),
}

TABLE = Table(
    name="nmnist",
    title="N-MNIST",
    command="lsm/run_nmnist.sh",
    paper_data=nmnist.INFO.name,
    config=NmnistConfig,
    rows=table_rows(SOFTWARE_LSM, CHIP_LSM, BASELINES),
    headlines=(
        "LSM, chip, published readout",
        "LSM, chip, discriminative ridge",
        "event counts in time windows, discriminative ridge",
        "SRNN-ANN",
    ),
    load=load,
    costs=costs,
    figures=draw_figures,
    probe=seconds_a_recording,
    next_step="bash lsm/run_nmnist.sh --rows SRNN-ANN --seeds 1 --set trained_epochs=3",
)  # fmt: skip

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
