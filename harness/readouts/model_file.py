"""A fitted model as one safetensors file: arrays, and a JSON header that says what they are.

Nothing in the file is code, and nothing of it is run: the header names classes of this package,
and these are looked up. A checksum covers header and arrays.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from harness.data.files import replacing
from harness.errors import UserError

VERSION = 1  # of the layout; another one is refused
KEY = "random-resistive-memory"  # of the header among the file's metadata
Arrays = dict[str, np.ndarray]


def write_model(path: Path, header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a file, whole or not at all.

    Args:
        path: of the file.
        header: plain values, see `plain`.
        arrays: by name.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header = {"version": VERSION, "package": package_version(), **header, "arrays": sorted(arrays)}
    header["sha256"] = _digest(header, arrays)
    with replacing(path) as temporary:
        save_file(arrays, temporary, metadata={KEY: json.dumps(header)})


def read_model(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Header and arrays of a file.

    Raises:
        UserError: no such file, one of another program or another version, cut short, altered, or
            with arrays that its header does not name.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; a model is saved by its `save`") from error
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: cut short, or no safetensors file ({reason}); get the file again"
        ) from error
    try:
        header = json.loads(metadata[KEY])
        found, named, digest = header["version"], header["arrays"], header.pop("sha256")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: a safetensors file without a header of this package") from error
    if found != VERSION:
        raise UserError(
            f"{path}: layout version {found}, this package ({package_version()}) reads {VERSION}: "
            f"install version {header.get('package')} of it, or fit and save the model again"
        )
    for what, names in (
        ("is not named in its header", set(arrays) - set(named)),
        ("is missing", set(named) - set(arrays)),
    ):
        if names:
            raise UserError(f"{path}: array {min(names)!r} {what}: altered; get the file again")
    if _digest(header, arrays) != digest:
        raise UserError(f"{path}: the checksum does not match: altered; get the file again")
    return header, arrays


def plain(value: Any) -> Any:  # noqa: ANN401
    """A value as JSON holds it: dataclasses by name, numbers that are none as text."""
    if dataclasses.is_dataclass(value):
        fields = {f.name: plain(vars(value)[f.name]) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return {"kind": "array", "dtype": value.dtype.str, "values": value.tolist()}
    if isinstance(value, type):
        return {"kind": "dtype", "name": np.dtype(value).name}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"kind": "number", "value": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UserError(f"{value!r} of {type(value).__name__} cannot be kept in a model file")


def unplain(value: Any, kinds: Mapping[str, type]) -> Any:  # noqa: ANN401
    """Back from `plain`; lists become tuples, as dataclasses here have them.

    Args:
        value: of a header.
        kinds: the dataclasses that it may name.
    """
    if isinstance(value, list):
        return tuple(unplain(part, kinds) for part in value)
    if not isinstance(value, dict):
        return value
    kind = value.get("kind")
    if kind == "array":
        return np.array(value["values"], value["dtype"])
    if kind == "dtype":
        return np.dtype(value["name"]).type
    if kind == "number":
        return float(value["value"])
    parts = {name: unplain(part, kinds) for name, part in value.items() if name != "kind"}
    if kind is None:
        return parts
    if kind not in kinds:
        raise UserError(f"a model file names {kind!r}: expected one of {', '.join(sorted(kinds))}")
    return kinds[kind](**parts)


def package_version() -> str:
    """Version of this package; "unknown" where it is not installed."""
    try:
        return version("random-resistive-memory")
    except PackageNotFoundError:
        return "unknown"


def _digest(header: dict[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
