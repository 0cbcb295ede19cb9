"""Data sets of the DEPLM paper, one file each."""
