"""Prototypical learning of two projections (the LSM paper's LSM-Prototype and SRNN-Prototype).

The paper publishes figures but no code of them. Here: prototypical networks (Snell et al., 2017)
across modalities. In every batch a class's prototype is the mean of its embeddings in one
modality; each item of the other modality is classified by a softmax over minus its squared
distances to them, in both directions, and the cross-entropies are averaged. An unseen class has
no prototype that was trained on, so retrieval is as for LSM-CLIP, by the nearest item instead of
the most similar one: the figures of both compare.
"""

import torch
from torch.nn import functional

FAR = 1e9  # squared distance of a class that the batch does not hold


def prototype_loss(first: torch.Tensor, second: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of items against the other modality's class means, both ways.

    Args:
        first: (M, B, d) embeddings of M models.
        second: (M, B, d), of the same classes.
        labels: (M, B) classes from 0.

    Returns:
        (M,) losses, each the mean over its batch.
    """
    member = functional.one_hot(labels).to(first.dtype)
    losses = [_one_way(a, b, member, labels) for a, b in ((first, second), (second, first))]
    return (losses[0] + losses[1]) / 2


def _one_way(
    queries: torch.Tensor, others: torch.Tensor, member: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    count = member.sum(-2)
    prototypes = member.mT @ others / count.clamp(min=1)[..., None]
    squares = queries.square().sum(-1)[..., None] + prototypes.square().sum(-1)[..., None, :]
    distances = squares - 2 * queries @ prototypes.mT + FAR * (count == 0)[..., None, :]
    scores = (-distances).log_softmax(-1)
    return -scores.gather(-1, labels[..., None])[..., 0].mean(-1)
