"""Zero-shot transfer between two modalities: pairs, projections, losses, retrieval, choices."""
