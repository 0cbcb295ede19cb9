"""N-TIDIGITS: supervised learning with the liquid state machine.

`bash lsm/run_ntidigits.sh --help` lists rows and constants.
"""

from dataclasses import dataclass, replace

import numpy as np

from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import Measurement, Metric, Run, Table
from lsm.data import ntidigits
from lsm.data.ntidigits import Binning
from lsm.data.spike_set import SpikeSet
from lsm.probe import seconds_a_recording
from lsm.spikes import SpikeTrains
from lsm.tables.supervised import SupervisedConfig, costs
from lsm.tables.supervised_figures import draw_figures
from lsm.tables.supervised_trained import table_rows, trained
from lsm.training.recurrent import TrainedSpec

SOURCE = "LSM, Nature Computational Science 5:37 (2025), published code"
FLAGS = "; a comment above the script's flags says 67.41"


@dataclass(frozen=True)
class NtidigitsConfig(SupervisedConfig):
    """Constants of the N-TIDIGITS table; edit them here or with --set name=value.

    Sources are the published scripts in LSM-NTIDIGITS.
    """

    # The reservoir and its readout (lsm_sim_gaussian.py).
    decay: float = constant(
        0.97, "of a membrane, what a step leaves of it (LSM, run_lsm_gau_sim.sh)", low=0, high=1
    )
    threshold: float = constant(5.3, "Vth, membrane units (LSM, run_lsm_gau_sim.sh)", low=0)
    const: float = constant(
        0.08, "membrane units per uS of weight (LSM, run_lsm_gau_sim.sh)", low=1e-9
    )
    steps: int = constant(129, "an utterance has at most (LSM, run_lsm_gau_sim.sh)", low=25)
    bin_ms: float = constant(1.0, "of an utterance before that (LSM, lsm_sim_gaussian.py)", low=0.1)
    published_length: bool = constant(
        False, "an utterance has ceil(last ms) + 1 bins, not floor + 1; the baselines always do so"
    )
    readout_optimizer: str = constant(
        "adamw", "of the published readout, or adam (LSM, lsm_sim_gaussian.py)"
    )
    readout_epochs: int = constant(
        600, "of the published readout (LSM, lsm_sim_gaussian.py)", low=1, smoke=3
    )
    readout_batch_size: int = constant(
        256, "of the published readout (LSM, run_lsm_gau_sim.sh)", low=1
    )
    readout_learning_rate: float = constant(
        6e-4, "of the published readout (LSM, run_lsm_gau_sim.sh)", low=0, high=100
    )
    plus_windows: int = constant(4, "time windows in which LSM+ counts spikes", low=1, high=25)
    plus_membranes: int = constant(0, "times at which LSM+ reads membranes", low=0, high=25)
    large_neurons: int = constant(1000, "of the larger LSM+", low=1, high=4000, smoke=300)
    large_windows: int = constant(4, "time windows of the larger LSM+", low=1, high=25)
    # The baselines (train_srnn_ann.py, train_srnn_snn.py, train_rnn.py).
    trained_epochs: int = constant(
        100, "of SRNN-ANN, SRNN-SNN and RNN (LSM, train_*.py)", low=1, smoke=1
    )
    trained_loss: str = constant("cross-entropy", "of the same, or mse (LSM, train_*.py)")
    srnn_decay: float = constant(
        0.9, "of a hidden membrane in SRNN-ANN and SRNN-SNN (LSM, train_srnn_*.py)", low=0, high=1
    )
    srnn_const: float = constant(
        1.0, "scale of the first weights of SRNN-ANN and SRNN-SNN (LSM, train_srnn_*.py)", low=0
    )
    srnn_ann_threshold: float = constant(
        0.6, "Vth of hidden neurons, membrane units (LSM, run_srnn_ann.sh)", low=0
    )
    srnn_ann_steps: int = constant(90, "at most (LSM, run_srnn_ann.sh)", low=1)
    srnn_ann_bin_ms: float = constant(
        10.0, "of an utterance before that (LSM, train_srnn_ann.py: Dt, not overridden)", low=0.1
    )
    srnn_ann_batch_size: int = constant(100, "(LSM, train_srnn_ann.py)", low=1, smoke=20)
    srnn_ann_learning_rate: float = constant(
        5e-4, "of Adam (LSM, train_srnn_ann.py)", low=0, high=100
    )
    srnn_snn_threshold: float = constant(
        0.3, "Vth of hidden and output neurons, the only one (LSM, train_srnn_snn.py)", low=0
    )
    srnn_snn_output_decay: float = constant(
        0.99, "of an output membrane (LSM, run_srnn_snn.sh)", low=0, high=1
    )
    srnn_snn_steps: int = constant(70, "at most (LSM, run_srnn_snn.sh)", low=1)
    srnn_snn_bin_ms: float = constant(
        1.0, "of an utterance before that (LSM, train_srnn_snn.py)", low=0.1
    )
    srnn_snn_batch_size: int = constant(128, "(LSM, run_srnn_snn.sh)", low=1, smoke=20)
    srnn_snn_learning_rate: float = constant(
        2e-4, "of Adam (LSM, run_srnn_snn.sh)", low=0, high=100
    )
    rnn_columns: int = constant(
        50, "an utterance is binned to (LSM, train_rnn.py: ts, not overridden)", low=1
    )
    rnn_steps: int = constant(30, "of these that the RNN sees, the first (LSM, run_rnn.sh)", low=1)
    rnn_bin_ms: float = constant(1.0, "of an utterance before that (LSM, train_rnn.py)", low=0.1)
    rnn_batch_size: int = constant(256, "(LSM, train_rnn.py)", low=1, smoke=20)
    rnn_learning_rate: float = constant(9e-4, "of Adam (LSM, train_rnn.py)", low=0, high=100)


def load(run: Run) -> SpikeSet:
    """The data set of the run, binned for the reservoir."""
    c = run.config
    return binned(run, Binning(c.steps, c.bin_ms, c.published_length))


def binned(run: Run, binning: Binning) -> SpikeSet:
    """The data set of the run, cut into steps."""
    return ntidigits.load(run.data_root, kind=run.config.data_kind, tiny=run.smoke, binning=binning)


def published(run: Run, steps: int, bin_ms: float) -> SpikeSet:
    """The data set of the run: `steps` steps as the published scripts cut them."""
    return binned(run, Binning(steps, bin_ms, published_length=True))


def srnn_ann(run: Run, seed: int) -> Measurement:
    """A spiking recurrent network with a linear readout, trained end to end."""
    c = run.config
    spec = _spec(
        c, "linear", c.srnn_ann_steps, c.srnn_ann_batch_size, c.srnn_ann_learning_rate,
        decay=c.srnn_decay, threshold=c.srnn_ann_threshold, const=c.srnn_const * c.srnn_weight_std,
    )  # fmt: skip
    data = run.cached("SRNN-ANN", lambda: published(run, c.srnn_ann_steps, c.srnn_ann_bin_ms))
    return trained(run, seed, "SRNN-ANN", spec, data, bin_ms=c.srnn_ann_bin_ms)


def srnn_snn(run: Run, seed: int) -> Measurement:
    """A spiking recurrent network with a spiking readout, trained end to end."""
    c = run.config
    spec = _spec(
        c, "spiking", c.srnn_snn_steps, c.srnn_snn_batch_size, c.srnn_snn_learning_rate,
        decay=c.srnn_decay, threshold=c.srnn_snn_threshold, const=c.srnn_const * c.srnn_weight_std,
        output_decay=c.srnn_snn_output_decay, output_threshold=c.srnn_snn_threshold,
    )  # fmt: skip
    data = run.cached("SRNN-SNN", lambda: published(run, c.srnn_snn_steps, c.srnn_snn_bin_ms))
    return trained(run, seed, "SRNN-SNN", spec, data, bin_ms=c.srnn_snn_bin_ms)


def rnn(run: Run, seed: int) -> Measurement:
    """A tanh recurrent network, trained end to end; it sees the first part of an utterance."""
    c = run.config
    spec = _spec(c, "rnn", c.rnn_steps, c.rnn_batch_size, c.rnn_learning_rate)

    def load_first_columns() -> SpikeSet:
        data = published(run, c.rnn_columns, c.rnn_bin_ms)
        train, test = (first_steps(trains, c.rnn_steps) for trains in (data.train, data.test))
        return replace(data, train=train, test=test)

    data = run.cached("RNN", load_first_columns)
    return trained(run, seed, "RNN", spec, data, bin_ms=c.rnn_bin_ms, columns=c.rnn_columns)


def first_steps(trains: SpikeTrains, steps: int) -> SpikeTrains:
    """Spike trains (T, B, C) of which the steps from `steps` on are cut off."""
    return SpikeTrains.from_dense(trains.dense(np.uint8)[:steps])


def _spec(
    c: NtidigitsConfig,
    readout: str,
    steps: int,
    batch_size: int,
    learning_rate: float,
    **spiking: float,
) -> TrainedSpec:
    return TrainedSpec(
        readout, ntidigits.CHANNELS, c.neurons, len(ntidigits.CLASSES), steps,
        loss=c.trained_loss, learning_rate=learning_rate, batch_size=batch_size,
        epochs=c.trained_epochs, **spiking,
    )  # fmt: skip


SOFTWARE_LSM = Metric(paper=70.79, paper_source=SOURCE)
CHIP_LSM = Metric(paper=70.11, paper_source=SOURCE + ", on the chip")
BASELINES = {
    "SRNN-ANN": (srnn_ann, Metric(paper=82.62, paper_source=SOURCE)),
    "SRNN-SNN": (srnn_snn, Metric(paper=63.75, paper_source=SOURCE + FLAGS)),
    "RNN": (rnn, Metric(paper=75.54, paper_source=SOURCE)),
}

TABLE = Table(
    name="ntidigits",
    title="N-TIDIGITS",
    command="lsm/run_ntidigits.sh",
    paper_data=ntidigits.INFO.name,
    config=NtidigitsConfig,
    rows=table_rows(SOFTWARE_LSM, CHIP_LSM, BASELINES),
    headlines=(
        "LSM, chip, published readout",
        "LSM, chip, discriminative ridge",
        "event counts, discriminative ridge",
        "SRNN-ANN",
    ),
    load=load,
    costs=costs,
    figures=draw_figures,
    probe=seconds_a_recording,
    next_step="bash lsm/run_ntidigits.sh --rows SRNN-ANN --seeds 1 --set trained_epochs=20",
)  # fmt: skip

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
