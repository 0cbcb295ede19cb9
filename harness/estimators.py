"""What the estimators of both papers share."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from harness.errors import UserError
from harness.readout import Readout


def check_classes(y: np.ndarray, readout: ClassifierMixin) -> np.ndarray:
    """The classes among labels, ascending.

    Args:
        y: (n,) labels.
        readout: that they are for.

    Raises:
        UserError: one class only, or a class with a single sample where the readout holds
            samples out.
    """
    check_classification_targets(y)
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise UserError(f"all {len(y)} samples are of one class, {classes[0]}: two are needed")
    if isinstance(readout, Readout) and readout.chooses and counts.min() < 2:
        rare = classes[counts < 2]
        raise UserError(
            f"class {rare[0]} has 1 sample: expected 2 or more of each class, one to fit and one "
            "to choose on; or give RidgeReadout(penalties=(p,)), which chooses nothing"
        )
    return classes
