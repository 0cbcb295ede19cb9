"""Data sets of the DEPLM paper: image_ Fashion-MNIST, dvs_ DVS128 Gesture, seg_ ShapeNet-part.

To add one:

1. Write one module `<table>_<set>.py` with `INFO = DatasetInfo(...)`: name, folder, files, licence,
   source and how to get it. Its docstring says what lies on disk.
2. Give it `load(root)`, which reads the files, checks them (missing, cut short, another shape, a
   label out of range, NaN, empty) and raises `UserError` with one line: file, fault, remedy.
3. Give the networks a subclass of `deplm.points.CloudSet`: `clouds(indices)` makes a batch of
   `Clouds`, points (B, N, 3) and features (B, N, F) float32.
4. What takes long to parse goes through `harness.data.cache.cached_arrays`, a stand-in through
   `harness.data.cache.stand_in`; `key_of` gets every file, constant and module that they depend on.
5. Name the `INFO` in `pyproject.toml` below `random_resistive_memory.datasets` and install again;
   `python -m harness.data.datasets` then lists it.
6. Test it with a small file in the real form that the real loader reads.

`image_fashion_mnist` is the shortest example.
"""
