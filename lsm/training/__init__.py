"""Recurrent networks trained end to end, and gradients through time."""
