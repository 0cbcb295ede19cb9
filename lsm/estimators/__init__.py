"""The liquid state machine on spikes of your own, in scikit-learn's conventions.

LSMEncoder       spikes or events -> features of a fixed random liquid
LSMClassifier    spikes or events -> liquid -> readout -> labels
"""

from lsm.estimators.liquid import LSMClassifier, LSMEncoder

__all__ = ["LSMClassifier", "LSMEncoder"]
