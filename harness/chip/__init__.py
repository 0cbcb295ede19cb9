"""Studies of the chip: costs, and what imperfections do."""
