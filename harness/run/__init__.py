"""How a table is measured: command line, constants, protocol, chips, records."""
