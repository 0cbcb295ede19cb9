"""What one parser is tried with."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_REAL = 300_000  # bytes of a real file that serves as a seed


@dataclass(frozen=True)
class Parser:
    """One parser.

    Attributes:
        name: of the format.
        file: name that its file has to have, below the folder of one try.
        read: path of the file -> what was read.
        plausible: whether that can be.
        make: path -> writes a tiny file in the real form.
        real: pattern below `DATA_ROOT` of real files.
    """

    name: str
    file: str
    read: Callable[[Path], Any]
    plausible: Callable[[Any], bool]
    make: Callable[[Path], object]
    real: str = ""

    def seeds(self) -> list[bytes]:
        """Bytes of files that are as they should be."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.file
            path.parent.mkdir(parents=True, exist_ok=True)
            self.make(path)
            found = [path.read_bytes()]
        root = os.environ.get("DATA_ROOT")
        paths = sorted(Path(root).glob(self.real)) if root and self.real else []
        real = [p for p in paths[:: max(1, len(paths) // 4)] if p.stat().st_size < LARGEST_REAL]
        return found + [p.read_bytes() for p in real[:4]]

    def place(self, folder: Path, content: bytes) -> Path:
        """Write the content where the parser looks for it."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path
