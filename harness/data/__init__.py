"""Data access: where sets lie, how files are read, and what is made of them and kept."""
