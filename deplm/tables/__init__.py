"""The tables of the DEPLM paper: one module a table, constants on top."""
