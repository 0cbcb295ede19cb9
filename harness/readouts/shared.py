"""Ridge readout of rows that several processes have, each its own part of them."""

import numpy as np

from harness.readouts.ridge import RidgeReadout
from harness.scale import distributed


class SharedRidgeReadout(RidgeReadout):
    """`RidgeReadout` to which every process of `harness.scale.distributed` adds other rows.

    Each keeps the float64 statistics of its own rows; they are summed over the processes where
    the readout is solved, and counts of correct validation rows where the penalty is chosen. The
    solution is the same in every process, and that of one process but for the rounding of the
    sums. With one process it is `RidgeReadout` to the bit.
    """

    def _add(self, sums: tuple) -> None:
        super()._add(sums)
        vars(self).pop("_summed", None)

    def _totals(self) -> tuple:
        if not hasattr(self, "sums_"):
            raise distributed.no_rows()
        if not hasattr(self, "_summed"):
            count, *sums = self.sums_
            everywhere = int(distributed.total(np.array(count)))
            self._summed = (everywhere, *map(distributed.total, sums))
        return self._summed

    def _counted(self, correct: np.ndarray) -> np.ndarray:
        return distributed.total(correct)
