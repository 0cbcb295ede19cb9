"""An array with wires, plain and obvious: Kirchhoff's law at every node, one dense solution."""

import numpy as np


def effective_conductances(cells, wire_ohm):
    """cells (R, C) in uS -> current at each output for 1 V at each input, (R, C) in uS."""
    rows, columns = cells.shape
    a = 1e6 / wire_ohm
    matrix, drive = np.zeros((2 * cells.size,) * 2), np.zeros((2 * cells.size, rows))

    def word(i, j):
        return i * columns + j

    def bit(i, j):
        return cells.size + word(i, j)

    def connect(p, q, g):
        matrix[p, p] += g
        matrix[q, q] += g
        matrix[p, q] -= g
        matrix[q, p] -= g

    for i in range(rows):
        for j in range(columns):
            connect(word(i, j), bit(i, j), cells[i, j])
            if j + 1 < columns:
                connect(word(i, j), word(i, j + 1), a)
            if i + 1 < rows:
                connect(bit(i, j), bit(i + 1, j), a)
        matrix[word(i, 0), word(i, 0)] += a  # to the driver
        drive[word(i, 0), i] = a
    for j in range(columns):
        matrix[bit(rows - 1, j), bit(rows - 1, j)] += a  # to the reader, at 0 V
    voltages = np.linalg.solve(matrix, drive)
    return a * voltages[[bit(rows - 1, j) for j in range(columns)]].T
