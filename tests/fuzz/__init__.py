"""Mutated bytes of every file that the package reads: loaded and plausible, or one clear error.

`python -m tests.fuzz` tries 10,000 mutations a parser; `parsers` has the parsers, `mutate` the
mutations, `run` the watch over them.
"""
