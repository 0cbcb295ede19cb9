"""Wire resistance: what a passive array conducts from each input to each output, exactly.

Row i is driven from its left end, column j is read at its lower end and held at 0 V there; every
segment between two neighbouring cells, and those to the driver and to the reader, has the
resistance r. The network is linear, so its currents are a matrix of the input voltages whatever
these are: one solution an array serves all products. With r = 0 that matrix is the conductances.
"""

import numpy as np
from scipy.linalg import solveh_banded

from rram.errors import UserError


def through_wires(
    conductances: np.ndarray, wire_ohm: float, macro: tuple[int, int] = (512, 512)
) -> np.ndarray:
    """Effective conductances (inputs, outputs) in uS of a block cut into arrays of at most `macro`.

    Each array holds one piece of the block; its other cells are cut off by their transistors.

    Args:
        conductances: (inputs, outputs) in uS.
        wire_ohm: r, resistance of a segment, in ohm.
        macro: rows and columns of an array.

    Raises:
        UserError: a resistance below 0 or not finite.
    """
    if not 0 <= wire_ohm < np.inf:
        raise UserError(f"wire_ohm is {wire_ohm}: a resistance is 0 or more")
    if wire_ohm == 0:
        return conductances
    out = np.empty_like(conductances)
    for row in range(0, len(out), macro[0]):
        for column in range(0, out.shape[1], macro[1]):
            piece = np.s_[row : row + macro[0], column : column + macro[1]]
            out[piece] = effective_conductances(conductances[piece], wire_ohm)
    return out


def effective_conductances(conductances: np.ndarray, wire_ohm: float) -> np.ndarray:
    """Current at output j for 1 V at input i, all other inputs at 0 V, (inputs, outputs) in uS.

    Column by column from the far end. With u the voltages of the rows at column j, its bit line
    has v = T^-1 D u (D = diag(g), T tridiagonal: wires and cells) and draws (D - D T^-1 D) u.
    What lies from column j on is seen by the rows as a conductance matrix S_j,

        S_j = D - D T^-1 D + 2 a I - a^2 S_(j+1)^-1,   a = 1 / r,

    and column j's rows have u_j = a S_j^-1 u_(j-1). This is exact, takes about C R^3 operations,
    with R the shorter side (by reciprocity), and memory for C R numbers.

    Args:
        conductances: (R, C) in uS.
        wire_ohm: above 0.
    """
    cells = np.asarray(conductances, np.float64)
    if len(cells) > cells.shape[1]:  # drivers and readers change places
        return effective_conductances(cells[::-1, ::-1].T, wire_ohm).T[::-1, ::-1]
    rows, columns = cells.shape
    a = 1e6 / wire_ohm  # uS
    eye = np.eye(rows)
    bands = np.zeros((2, rows))
    bands[0, 1:] = -a
    ends = np.full(rows, 2 * a)  # every node of a column has two segments
    ends[0] = a  # but the first one
    currents = np.empty((columns, rows))  # of column j on, for the voltages at its left
    seen: np.ndarray | None = None
    for j in range(columns - 1, -1, -1):
        g = cells[:, j]
        bands[1] = ends + g
        inverse = solveh_banded(bands, eye, check_finite=False) if rows > 1 else 1 / bands[1:]
        schur = np.diag(g) - g[:, None] * inverse * g
        schur[np.diag_indices(rows)] += a if seen is None else 2 * a
        if seen is not None:
            schur -= a * seen
        seen = a * np.linalg.inv(schur)  # u_j for the voltages at the left
        currents[j] = a * inverse[-1] * g
        currents[j:] = currents[j:] @ seen
    return currents.T
