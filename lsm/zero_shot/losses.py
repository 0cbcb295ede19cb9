"""What two modalities' embeddings are trained by: contrast of pairs, or prototypes of classes."""

import torch
from torch.nn import functional

TARGETS = ("identity", "soft", "labels")


def contrastive_loss(
    first: torch.Tensor,
    second: torch.Tensor,
    labels: torch.Tensor,
    *,
    targets: str = "identity",
    scale: torch.Tensor | float = 1.0,
) -> torch.Tensor:
    """Symmetric cross-entropy between the similarities of a batch and its targets.

    Logits are scale * first @ second^T. The targets of a row are

        identity   1 for its own partner (CLIP)
        soft       softmax((first first^T + second second^T) / (2 scale)), gradients included,
                   as in the public simple-CLIP code
        labels     equal for all items of its class, which add to 1 (supervised contrast)

    and those of a column are the transposed matrix, as in simple-CLIP. Which of them the LSM
    paper trains with is not visible: the module with its loss is not published.

    Args:
        first: (M, B, d) embeddings of M models.
        second: (M, B, d), item i is the partner of `first` i.
        labels: (M, B) classes; only `targets="labels"` looks at them.
        targets: "identity", "soft" or "labels".
        scale: 1 / temperature, a number or (M, 1, 1).

    Returns:
        (M,) losses, each the mean over its batch.
    """
    logits = scale * (first @ second.mT)
    wanted = _targets(first, second, labels, targets, scale)
    rows = (wanted * logits.log_softmax(-1)).sum(-1)
    columns = (wanted * logits.log_softmax(-2)).sum(-2)
    return -(rows + columns).mean(-1) / 2


def _targets(
    first: torch.Tensor,
    second: torch.Tensor,
    labels: torch.Tensor,
    targets: str,
    scale: torch.Tensor | float,
) -> torch.Tensor:
    if targets == "identity":
        return torch.eye(first.shape[1], dtype=first.dtype, device=first.device)
    if targets == "soft":
        return ((first @ first.mT + second @ second.mT) / (2 * scale)).softmax(-1)
    same = (labels[:, :, None] == labels[:, None, :]).to(first.dtype)
    return same / same.sum(-1, keepdim=True)


def prototype_loss(
    queries: torch.Tensor,
    query_labels: torch.Tensor,
    support: torch.Tensor,
    support_labels: torch.Tensor,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Cross-entropy of queries against class prototypes (Snell et al., 2017).

    p_c is the mean of the support embeddings of class c, of both modalities; the loss is

        - log softmax_c(-|q - p_c|^2 / temperature) at the query's own class

    averaged over queries. The published scripts show one score of image and audio queries
    together and one set of prototypes; distance and inner form are not visible.

    Args:
        queries: (Q, d) embeddings, of both modalities one after the other.
        query_labels: (Q,) classes; queries of a class without support do not count.
        support: (S, d) embeddings, likewise.
        support_labels: (S,) classes.
        temperature: what scores are divided by.
    """
    classes, index = torch.unique(support_labels, return_inverse=True)
    member = functional.one_hot(index, len(classes)).to(support.dtype)
    prototypes = member.T @ support / member.sum(0)[:, None]
    known = torch.isin(query_labels, classes)
    q, own = queries[known], torch.searchsorted(classes, query_labels[known])
    squares = q.square().sum(-1)[:, None] + prototypes.square().sum(-1) - 2 * q @ prototypes.T
    return functional.cross_entropy(-squares / temperature, own)
