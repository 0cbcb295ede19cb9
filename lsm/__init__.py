"""Zero-shot liquid state machine (Nature Computational Science 5:37-47, 2025)."""
