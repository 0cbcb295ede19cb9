"""Writers of stand-ins, in the real sets' own files: simulated sensors and synthetic signals."""
