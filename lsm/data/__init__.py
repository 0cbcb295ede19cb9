"""Data sets of the LSM paper, one file each."""
