"""Readouts of frozen features, estimators, and fitted models on disk."""
