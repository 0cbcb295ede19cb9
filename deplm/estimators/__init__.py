"""DEPLM on arrays of your own, in scikit-learn's conventions.

DEPLMClassifier    images or point clouds -> labels
DEPLMSegmenter     point clouds -> a label for every point
"""

from deplm.estimators.classifier import DEPLMClassifier
from deplm.estimators.segmenter import DEPLMSegmenter

__all__ = ["DEPLMClassifier", "DEPLMSegmenter"]
