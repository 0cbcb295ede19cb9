"""Data sets of the LSM paper: nmnist, ntidigits, and brain_visual_ (handwriting, E-MNIST letters).

To add one:

1. Write one module with `INFO = DatasetInfo(...)`: name, folder, files, licence, source and how to
   get it. Its docstring says what lies on disk.
2. Turn each sample into ascending keys step * channels + channel, and all of them into
   `SpikeTrains` by `SpikeTrains.from_keys(keys, steps, channels)`. Check what is read (missing, cut
   short, another shape, a label or channel out of range, NaN, empty) and raise `UserError` with one
   line: file, fault, remedy.
3. `load(root)` makes the arrays of both splits with `split_arrays`, keeps them by
   `harness.data.cache.cached_arrays` and gives `SpikeSet.from_arrays(...)`. `key_of` gets every
   file, constant and module that the arrays depend on.
4. A stand-in is written in the real form through `harness.data.cache.stand_in` and read by the same
   loader.
5. Name the `INFO` in `pyproject.toml` below `random_resistive_memory.datasets` and install again;
   `python -m harness.data.datasets` then lists it.
6. Test it with a small file in the real form that the real loader reads.

`nmnist` is the plainest example.
"""
