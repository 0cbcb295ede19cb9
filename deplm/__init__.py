"""The deep extreme point learning machine (DEPLM, Nature Communications 16:960, 2025).

DEPLMClassifier     images or clouds of your own -> labels, in scikit-learn's conventions
DEPLMSegmenter      clouds -> a label for every point, likewise
PointNetwork        sizes of a network, of SetAbstraction; FASHION_MNIST, DVS_GESTURE: the paper's
FrozenEncoder       such a network on a chip: clouds -> features
PartNetwork         sizes of a segmentation network; PART_NETWORK is the paper's
PartEncoder         such a network on a chip: clouds -> features of every point
ArrayClouds         clouds in memory; CloudSet is the base of clouds made batch by batch
Chip, ReadConfig    where the random weights come from, and how they are read
"""

from deplm.encoder import FrozenEncoder
from deplm.estimators import DEPLMClassifier, DEPLMSegmenter
from deplm.network import DVS_GESTURE, FASHION_MNIST, PointNetwork, SetAbstraction
from deplm.points import ArrayClouds, CloudSet
from deplm.segmentation import PART_NETWORK, PartEncoder, PartNetwork
from rram import Chip, ReadConfig

__all__ = [
    "DVS_GESTURE",
    "FASHION_MNIST",
    "PART_NETWORK",
    "ArrayClouds",
    "Chip",
    "CloudSet",
    "DEPLMClassifier",
    "DEPLMSegmenter",
    "FrozenEncoder",
    "PartEncoder",
    "PartNetwork",
    "PointNetwork",
    "ReadConfig",
    "SetAbstraction",
]
