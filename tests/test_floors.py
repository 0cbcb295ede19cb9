"""The floors of the house: which module may import which.

    4 tables   3 training, zero_shot   2 data   1 the sibling's root   0 harness   rram below all

A module imports from its own floor and from floors below. The siblings never import each other.
A sibling's `__init__` is its table of contents: it may name anything below its tables.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SIBLINGS = ("deplm", "lsm")
ROOMS = {"data": 2, "training": 3, "zero_shot": 3, "tables": 4}
HARNESS, TABLES = 0, 4
FIGURES = ("matplotlib", "harness.report.figures")  # of tables alone
# Imports that break the rules today: "module -> imported". Entries may only be taken out.
TOLERATED: set[str] = set()


def modules():
    packages = ("rram", "harness", *SIBLINGS)
    return sorted(f for package in packages for f in (ROOT / package).rglob("*.py"))


def name_of(file, root=ROOT):
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source, module):
    """Full names of all that `source` imports, those inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def floor(module):
    """Number of the floor; None for what is not ours."""
    package, *rest = module.split(".")
    if package in SIBLINGS:
        return ROOMS.get(rest[0], 1) if rest else 1
    return {"rram": -1, "harness": HARNESS}.get(package)


def breaks(module, name):
    """Why `module` may not import `name`; "" when it may."""
    package, other = module.split(".")[0], name.split(".")[0]
    if floor(module) < TABLES and name.startswith(FIGURES) and package in SIBLINGS:
        return "only tables draw figures"
    if floor(name) is None:
        return ""
    if package in SIBLINGS and other in SIBLINGS and package != other:
        return "the siblings do not import each other"
    highest = TABLES - 1 if module in SIBLINGS else floor(module)
    return "" if floor(name) <= highest else "a floor above its own"


def offences():
    found = {}
    for file in modules():
        module = name_of(file)
        for name in imported(file.read_text(encoding="utf-8"), module):
            why = breaks(module, name)
            if why:
                found[f"{module} -> {'.'.join(name.split('.')[:3])}"] = why
    return found


def test_every_module_imports_from_its_own_floor_or_below():
    found = {line: why for line, why in offences().items() if line not in TOLERATED}
    assert not found, "\n".join(f"{line}: {why}" for line, why in sorted(found.items()))


def test_what_is_tolerated_is_still_there():
    assert not TOLERATED - offences().keys(), "mended: take these out of TOLERATED"


@pytest.mark.parametrize(
    ("module", "name", "allowed"),
    [
        ("deplm.tables.image", "deplm.data.cache.Cache", True),
        ("deplm.data.cache", "deplm.encoder", True),
        ("deplm.encoder", "deplm.data.cache", False),
        ("deplm.data.cache", "deplm.training.recipe", False),
        ("deplm.training.recipe", "deplm.tables.common", False),
        ("lsm.zero_shot.retrieval", "lsm.training.recurrent", True),
        ("lsm.encode", "deplm.kernels.max_pool", False),
        ("harness.run.cli", "rram.Chip", True),
        ("harness.run.cli", "lsm.encode", False),
        ("rram.chip", "harness.errors.UserError", False),
        ("rram.chip", "rram.errors.UserError", True),
        ("deplm.encoder", "matplotlib.figure.Figure", False),
        ("lsm.tables.figures", "matplotlib.figure.Figure", True),
        ("lsm", "lsm.zero_shot.retrieval.topk_accuracy", True),
        ("lsm", "lsm.tables.nmnist", False),
    ],
)
def test_the_rules_themselves(module, name, allowed):
    assert (breaks(module, name) == "") is allowed


def test_imports_inside_functions_and_relative_ones_count():
    source = "from . import a\nfrom .b import c\ndef f():\n    import lsm.spikes\n"
    assert imported(source, "lsm.data.nmnist") == {"lsm.data.a", "lsm.data.b.c", "lsm.spikes"}
