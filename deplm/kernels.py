"""Compiled inner loops over points, for the CPU.

Every function fills arrays it is given, touches one cloud at a time and releases the GIL, so
that threads can share a batch and the result does not depend on how many there are. Arithmetic
is in float32 and in the order of the plain torch path of `deplm.points`, so both agree to the bit.

They stay because they pay: on a busy AMD EPYC (AVX-512), one thread, clouds of 2,048 points,
plain torch took so many times as long (`python -m benchmarks.encode_points --kernels`, two runs):
sampling 18 and 115, grouping 20 and 200, three nearest 7 and 34, interpolation 40 and 64, maxima
of groups 75 and 81.
"""

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def farthest_points(points, start, chosen):
    """points (B, N, 3) float32, start (B,) -> chosen (B, M) int32."""
    batch, count, _ = points.shape
    nearest = np.empty(count, np.float32)
    # Distances are not negative, so as integers their bits have the same order; the compiler
    # turns an integer maximum into vector instructions, a float one (because of NaN) it does not.
    key = nearest.view(np.int32)
    for b in range(batch):
        x, y, z = points[b, :, 0].copy(), points[b, :, 1].copy(), points[b, :, 2].copy()
        nearest[:] = np.float32(1e10)
        centre = np.int64(start[b])
        for m in range(chosen.shape[1]):
            chosen[b, m] = centre
            cx, cy, cz = x[centre], y[centre], z[centre]
            for j in range(count):
                dx, dy, dz = x[j] - cx, y[j] - cy, z[j] - cz
                distance = dx * dx + dy * dy + dz * dz
                nearest[j] = distance if distance < nearest[j] else nearest[j]
            best = np.int32(-1)
            for j in range(count):
                best = max(best, key[j])
            if best == 0:  # only copies of chosen points are left
                chosen[b, m + 1 :] = 0
                break
            centre = np.int64(0)
            while key[centre] != best:
                centre += 1


@compiled
def ball_neighbours(points, centres, radius_squared, neighbours):
    """points (B, N, 3), centres (B, S, 3) float32 -> neighbours (B, S, K) int32, -1: none."""
    batch, count, _ = points.shape
    wanted, lanes = neighbours.shape[2], 128
    size = -(-count // lanes) * lanes
    inside, group = np.empty(lanes, np.uint8), np.empty(wanted + 8, np.int32)
    eights = inside.view(np.uint64)
    x, y, z = np.full((3, size), np.float32(1e15))  # beyond `count`: far away
    for b in range(batch):
        for j in range(count):
            x[j], y[j], z[j] = points[b, j, 0], points[b, j, 1], points[b, j, 2]
        for s in range(centres.shape[1]):
            cx, cy, cz = centres[b, s, 0], centres[b, s, 1], centres[b, s, 2]
            if s > 0 and (centres[b, s] == centres[b, s - 1]).all():  # as when sampling ran out
                neighbours[b, s] = neighbours[b, s - 1]
                continue
            filled = first = 0
            while first < size and filled < wanted:
                for lane in range(lanes):
                    j = first + lane
                    dx, dy, dz = x[j] - cx, y[j] - cy, z[j] - cz
                    inside[lane] = dx * dx + dy * dy + dz * dz <= radius_squared
                for eight in range(lanes // 8):
                    if eights[eight] == 0 or filled >= wanted:
                        continue
                    for lane in range(8 * eight, 8 * eight + 8):
                        group[filled] = first + lane  # kept if inside: a branch is guessed wrong
                        filled += inside[lane]
                first += lanes
            if filled == 0:
                group[0] = -1  # an empty ball
            for k in range(wanted):
                neighbours[b, s, k] = group[k] if k < filled else group[0]


@compiled
def three_nearest(points, known, neighbours, distances):
    """points (B, N, 3), known (B, S, 3) -> the 3 nearest known: (B, N, 3) int32 and squared."""
    batch, count, _ = points.shape
    total, lanes = known.shape[1], 64
    size = -(-total // lanes) * lanes
    squared, inside = np.empty(size, np.float32), np.empty(size, np.uint8)
    least, near = np.empty(lanes, np.float32), np.empty(size + 8, np.int32)
    key, least_key = squared.view(np.int32), least.view(np.int32)  # see farthest_points
    eights = inside.view(np.uint64)
    x, y, z = np.full((3, size), np.float32(1e15))  # beyond `total`: far away
    for b in range(batch):
        for s in range(total):
            x[s], y[s], z[s] = known[b, s, 0], known[b, s, 1], known[b, s, 2]
        for n in range(count):
            px, py, pz = points[b, n, 0], points[b, n, 1], points[b, n, 2]
            least[:] = np.float32(np.inf)
            for first in range(0, size, lanes):
                for lane in range(lanes):
                    s = first + lane
                    dx, dy, dz = x[s] - px, y[s] - py, z[s] - pz
                    d = dx * dx + dy * dy + dz * dz
                    squared[s] = d
                    least[lane] = d if d < least[lane] else least[lane]
            limit = _third_least(least, least_key)
            for s in range(size):
                inside[s] = key[s] <= limit
            filled = 0
            for eight in range(len(eights)):
                if eights[eight] != 0:
                    for s in range(8 * eight, 8 * eight + 8):
                        near[filled] = s
                        filled += inside[s]
            _three_least(squared, near[:filled], neighbours[b, n], distances[b, n])


@compiled
def _third_least(least, key):
    """Third of the least of 16 lanes: no smaller than that of all. `key`: the bits of `least`."""
    for half in (32, 16):
        for lane in range(half):
            least[lane] = min(least[lane], least[lane + half])
    k0 = k1 = k2 = np.int32(np.iinfo(np.int32).max)
    for k in key[:16]:
        k, k0 = max(k, k0), min(k, k0)
        k, k1 = max(k, k1), min(k, k1)
        k2 = min(k, k2)
    return k2


@compiled
def _three_least(squared, candidates, index, distance):
    """The three least of squared[candidates], by distance, then by index."""
    d0 = d1 = d2 = np.float32(np.inf)
    i0 = i1 = i2 = np.int32(0)
    for i in candidates:
        d = squared[i]
        if d < d0:
            d0, d1, d2, i0, i1, i2 = d, d0, d1, i, i0, i1
        elif d < d1:
            d1, d2, i1, i2 = d, d1, i, i1
        elif d < d2:
            d2, i2 = d, i
    index[0], index[1], index[2] = i0, i1, i2
    distance[0], distance[1], distance[2] = d0, d1, d2


@compiled
def add_interpolated(coarse, nearest, weights, fine):
    """fine (B, N, C) += the sum over k of weights[k] * coarse[nearest[k]].

    coarse (B, S, C), nearest (B, N, 3) int32, weights (B, N, 3) float32.
    """
    batch, count, channels = fine.shape
    for b in range(batch):
        for n in range(count):
            w0, w1, w2 = weights[b, n, 0], weights[b, n, 1], weights[b, n, 2]
            r0, r1 = coarse[b, nearest[b, n, 0]], coarse[b, nearest[b, n, 1]]
            r2, out = coarse[b, nearest[b, n, 2]], fine[b, n]
            for c in range(channels):
                out[c] += w0 * r0[c] + w1 * r1[c] + w2 * r2[c]


@compiled
def gather_relative(inputs, centres, neighbours, sizes, out):
    """inputs (N, I), centres (S, 3), the first sizes[s] of neighbours (S, K) -> out (n, I).

    Coordinates, the first three inputs, become those about the centre.
    """
    n = 0
    for s in range(len(sizes)):
        for k in range(sizes[s]):
            source, target = inputs[neighbours[s, k]], out[n]
            for c in range(len(target)):
                target[c] = source[c]
            for c in range(3):
                target[c] -= centres[s, c]
            n += 1


@compiled
def neighbour_max(projected, neighbours, out):
    """projected (B, N, C), neighbours (B, S, K) -> out (B, S, C), the maximum over K."""
    batch, centres, wanted = neighbours.shape
    for b in range(batch):
        for s in range(centres):
            group, best = neighbours[b, s], out[b, s]
            last = wanted - 1
            while last > 0 and group[last] == group[0]:  # padding
                last -= 1
            best[:] = projected[b, group[0]]
            for k in range(1, last + 1, 4):  # four rows for each time that `best` is loaded
                r0, r1 = projected[b, group[k]], projected[b, group[min(k + 1, last)]]
                r2 = projected[b, group[min(k + 2, last)]]
                r3 = projected[b, group[min(k + 3, last)]]
                for c in range(len(best)):
                    low = r0[c] if r0[c] > r1[c] else r1[c]
                    high = r2[c] if r2[c] > r3[c] else r3[c]
                    top = low if low > high else high
                    best[c] = top if top > best[c] else best[c]


@compiled
def group_sums(projected, sign, neighbours, sums, best, argmax):
    """Sum and extreme of the rows of every group, for networks that are trained.

    projected (B, N, C) float32 and neighbours (B, S, K) -> sums and best (B, S, C), and argmax
    (B, S, C) int32, the point that has the extreme: a maximum where sign (C,) is 1, else, at
    -1, a minimum.
    """
    for b in range(len(projected)):
        for s in range(neighbours.shape[1]):
            for k in range(neighbours.shape[2]):
                n = neighbours[b, s, k]
                for c in range(projected.shape[2]):
                    value = projected[b, n, c]
                    sums[b, s, c] = value + (sums[b, s, c] if k else np.float32(0))
                    better = k == 0 or sign[c] * value > sign[c] * best[b, s, c]
                    best[b, s, c] = value if better else best[b, s, c]
                    argmax[b, s, c] = n if better else argmax[b, s, c]


@compiled
def group_sums_gradient(of_sums, of_best, neighbours, argmax, out):
    """Back through `group_sums`: adds to out (B, N, C), the gradient of `projected`."""
    for b in range(len(out)):
        for s in range(neighbours.shape[1]):
            for k in range(neighbours.shape[2]):
                n = neighbours[b, s, k]
                for c in range(out.shape[2]):
                    out[b, n, c] += of_sums[b, s, c]
            for c in range(out.shape[2]):
                out[b, argmax[b, s, c], c] += of_best[b, s, c]


@compiled
def neighbour_max_and_moments(projected, offset, neighbours, best, total, squares):
    """As `neighbour_max`, and the moments of what the maximum is taken of, in one pass.

    Adds sum and sum of squares of projected[neighbour] - offset[centre] to two (C,) float64.
    """
    batch, centres, wanted = neighbours.shape
    sums, powers = np.empty((2, len(total)), np.float32)
    for b in range(batch):
        for s in range(centres):
            group, top, centre = neighbours[b, s], best[b, s], offset[b, s]
            last = wanted - 1
            while last > 0 and group[last] == group[0]:  # padding: so many copies of the first
                last -= 1
            copies, first = np.float32(wanted - last), projected[b, group[0]]
            for c in range(len(total)):
                value = first[c] - centre[c]
                top[c], sums[c], powers[c] = first[c], copies * value, copies * value * value
            k = 1
            while k + 3 <= last:  # four rows for each time that the sums are loaded
                r0, r1 = projected[b, group[k]], projected[b, group[k + 1]]
                r2, r3 = projected[b, group[k + 2]], projected[b, group[k + 3]]
                for c in range(len(total)):
                    low = r0[c] if r0[c] > r1[c] else r1[c]
                    high = r2[c] if r2[c] > r3[c] else r3[c]
                    most = low if low > high else high
                    top[c] = most if most > top[c] else top[c]
                    v0, v1, v2, v3 = (
                        r0[c] - centre[c],
                        r1[c] - centre[c],
                        r2[c] - centre[c],
                        r3[c] - centre[c],
                    )
                    sums[c] += (v0 + v1) + (v2 + v3)
                    powers[c] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3)
                k += 4
            while k <= last:
                row = projected[b, group[k]]
                for c in range(len(total)):
                    value = row[c] - centre[c]
                    top[c] = row[c] if row[c] > top[c] else top[c]
                    sums[c] += value
                    powers[c] += value * value
                k += 1
            for c in range(len(total)):
                total[c] += sums[c]
                squares[c] += powers[c]
