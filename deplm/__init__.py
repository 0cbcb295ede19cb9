"""Deep extreme point learning machine (Nature Communications 16:960, 2025)."""
