"""The zero-shot liquid state machine (LSM, Nature Computational Science 5:37-47, 2025).

LSMClassifier       spikes or events of your own -> labels, in scikit-learn's conventions
LSMEncoder          spikes or events -> features of a liquid, likewise
ZeroShotRetriever   items of one modality -> those of another, of classes never trained on
SpikeTrains         spikes of many samples: from events, from arrays
ReservoirSpec       size and constants of a liquid; NMNIST, NTIDIGITS are the paper's
Reservoir           its fixed weights: gaussian, from_chip, from_weights
encode              spike trains -> liquid -> features; StateFeatures says what is read
ProjectionConfig    recipe of the trained projections into the space shared by two modalities
topk_accuracy       queries of one modality -> nearest items of the other
SpikeSet            labelled spike trains, as every data set of `lsm.data` loads
Chip, ReadConfig    where the random weights come from, and how they are read
"""

from lsm.data.spike_set import SpikeSet
from lsm.encode import StateFeatures, encode
from lsm.estimators import LSMClassifier, LSMEncoder
from lsm.reservoir import (
    NMNIST,
    NTIDIGITS,
    Reservoir,
    ReservoirSpec,
    from_chip,
    from_weights,
    gaussian,
)
from lsm.spikes import SpikeTrains
from lsm.zero_shot.projections import ProjectionConfig
from lsm.zero_shot.retrieval import topk_accuracy
from lsm.zero_shot.retriever import ZeroShotRetriever
from rram import Chip, ReadConfig

__all__ = [
    "NMNIST",
    "NTIDIGITS",
    "Chip",
    "LSMClassifier",
    "LSMEncoder",
    "ProjectionConfig",
    "ReadConfig",
    "Reservoir",
    "ReservoirSpec",
    "SpikeSet",
    "SpikeTrains",
    "StateFeatures",
    "ZeroShotRetriever",
    "encode",
    "from_chip",
    "from_weights",
    "gaussian",
    "topk_accuracy",
]
