"""Constants of a table: one frozen dataclass, edited in its file or by `--set name=value`."""

import dataclasses
import difflib
import math
import types
from typing import Any, TypeVar, get_args, get_type_hints

from harness.errors import UserError

C = TypeVar("C")


def constant(
    default: Any,  # noqa: ANN401
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
    smoke: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """A field of a table's configuration.

    Args:
        default: its value.
        about: what it is, its unit, and where the paper states it.
        low: smallest value allowed.
        high: largest value allowed.
        smoke: value in a `--smoke` run, where it differs.
    """
    metadata = {"about": about, "low": low, "high": high, "smoke": smoke}
    return dataclasses.field(default=default, metadata=metadata)


def smoke_config(kind: type[C]) -> C:
    """The configuration of a `--smoke` run."""
    small = {f.name: f.metadata.get("smoke") for f in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in small.items() if value is not None})


def with_settings(config: C, settings: list[str]) -> C:
    """The configuration with each "name=value" of `settings` applied.

    Raises:
        UserError: unknown name, wrong type or value out of range, naming what is allowed.
    """
    hints = get_type_hints(type(config))
    changes = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals:
            raise UserError(f"--set {setting}: expected name=value")
        if name not in hints:
            near = difflib.get_close_matches(name, hints, 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise UserError(f"--set {name}: no such constant{hint} Known: {', '.join(hints)}")
        changes[name] = _parsed(name, text.strip(), hints[name])
    return checked(dataclasses.replace(config, **changes))


def checked(config: C) -> C:
    """The configuration itself, when every value lies in its range."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        low, high = field.metadata.get("low"), field.metadata.get("high")
        if value is None or isinstance(value, str):
            continue
        below, above = low is not None and value < low, high is not None and value > high
        if below or above or not math.isfinite(value):
            raise UserError(f"{field.name} is {value}: it must be {_range(low, high)}")
    return config


def switches(kind: type) -> dict[str, str]:
    """Names of the constants that are off or on, each an option of its own, and what they are."""
    hints = get_type_hints(kind)
    return {f.name: f.metadata["about"] for f in dataclasses.fields(kind) if hints[f.name] is bool}


def describe(kind: type) -> str:
    """One line a constant: name, default, what it is."""
    fields = dataclasses.fields(kind)
    return "\n".join(f"  {f.name} = {f.default}\n      {f.metadata['about']}" for f in fields)


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"between {low} and {high}"
    return f"{low} or more" if low is not None else f"{high} or less" if high else "finite"


def _parsed(name: str, text: str, hint: Any) -> Any:  # noqa: ANN401
    kinds = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(None) in kinds and text.lower() == "none":
        return None
    for kind in kinds:
        if kind is bool and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind in (int, float, str):
            try:
                return kind(text)
            except ValueError:
                continue
    names = " or ".join("none" if kind is type(None) else kind.__name__ for kind in kinds)
    raise UserError(f"--set {name}={text}: expected {names}")
