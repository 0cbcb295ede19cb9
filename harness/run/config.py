"""Constants of a table: one frozen dataclass, edited in its file or by `--set name=value`."""

import dataclasses
import difflib
import types
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from harness.errors import UserError
from rram.files import is_number

C = TypeVar("C")
LONGEST_SHOWN = 80  # letters of a wrong value
LARGEST_FLOAT = 1e30  # float32 holds it, and some multiple of it
LARGEST = 2**31 - 1  # of a whole number: what torch and numpy take as a size on every system
KINDS = {bool: "true or false", type(None): "none"}  # in words


def constant(
    default: Any,  # noqa: ANN401
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
    smoke: Any = None,  # noqa: ANN401
    choices: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401
    """A field of a table's configuration.

    Args:
        default: its value.
        about: what it is, its unit, and where the paper states it.
        low: smallest value allowed.
        high: largest value allowed.
        smoke: value in a `--smoke` run, where it differs.
        choices: the texts allowed, beside None; any where there are none.
    """
    metadata = {"about": about, "low": low, "high": high, "smoke": smoke, "choices": choices}
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
    """The configuration itself, when every value lies in its range.

    Raises:
        UserError: a value, or one of a tuple, does not.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        low, high = field.metadata.get("low"), field.metadata.get("high")
        choices = field.metadata.get("choices")
        if choices and value is not None and value not in choices:
            allowed = " or ".join(choices)
            raise UserError(f"{field.name} is {shown(value)}: it must be {allowed}")
        for one in value if isinstance(value, tuple) else (value,):
            if one is None or isinstance(one, str):
                continue
            below, above = low is not None and one < low, high is not None and one > high
            most = LARGEST if isinstance(one, int) else LARGEST_FLOAT
            large = not abs(one) <= most  # NaN too
            if below or above or large:
                high = most if large and high is None else high
                wrong = shown(value)[:LONGEST_SHOWN]
                raise UserError(f"{field.name} is {wrong}: it must be {_range(low, high)}")
    return config


def shown(value: Any) -> str:  # noqa: ANN401
    """A value as `--set` takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def describe(kind: type) -> str:
    """One line a constant: name, default, what it is."""
    fields = dataclasses.fields(kind)
    return "\n".join(
        f"  {f.name} = {shown(f.default)}\n      {f.metadata['about']}{_limits(f)}" for f in fields
    )


def _limits(field: dataclasses.Field) -> str:
    low, high = field.metadata.get("low"), field.metadata.get("high")
    return "" if low is None and high is None else f"; {_range(low, high)}"


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"{low} or more"
    return "finite" if high is None else f"{high} or less"


def _parsed(name: str, text: str, hint: Any) -> Any:  # noqa: ANN401
    kinds = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(None) in kinds and text.lower() == "none":
        return None
    for kind in kinds:
        if get_origin(kind) is tuple:
            return _parsed_tuple(name, text, kind)
        if kind is bool and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind is str and "\0" not in text:
            return text
        if kind in (int, float) and is_number(text):
            try:
                return kind(text)
            except ValueError:
                continue
    names = " or ".join(KINDS.get(kind, getattr(kind, "__name__", kind)) for kind in kinds)
    raise UserError(f"--set {name}={text[:LONGEST_SHOWN]}: expected {names}")


def _parsed_tuple(name: str, text: str, kind: Any) -> tuple:  # noqa: ANN401
    # "0.15,0.2" for a tuple[float, ...] or tuple[float, float].
    parts = [part.strip() for part in text.split(",") if part.strip()]
    first, *others = get_args(kind)
    count = None if others == [...] else 1 + len(others)
    if count not in (None, len(parts)):
        raise UserError(f"--set {name}={text}: expected {count} values, with commas between them")
    return tuple(_parsed(name, part, first) for part in parts)
