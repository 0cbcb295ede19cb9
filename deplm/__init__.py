"""The deep extreme point learning machine of paper 1: frozen random layers on point clouds."""

from deplm.encoder import FrozenEncoder
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
    "FrozenEncoder",
    "PartEncoder",
    "PartNetwork",
    "PointNetwork",
    "ReadConfig",
    "SetAbstraction",
]
