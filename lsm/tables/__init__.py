"""The tables of the LSM paper: one module a table, constants on top."""
