"""Writers of synthetic stand-ins, in the real sets' own files."""
