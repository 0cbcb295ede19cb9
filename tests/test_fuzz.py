"""A small part of `python -m tests.fuzz`: mutated files load as what can be, or give one line."""

import numpy as np
import pytest

from harness.errors import UserError
from tests.fuzz.parser import Parser
from tests.fuzz.parsers import PARSERS
from tests.fuzz.run import GOOD, content_of, fuzz, outcome

COUNT = 15


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_mutated_files_escape_no_parser(parser, tmp_path):
    seeds = parser.seeds()
    for number in range(COUNT):
        content = content_of(parser, seeds, number)
        found = outcome(parser, tmp_path / str(number), content)
        assert found[0] == "loaded" if number < len(seeds) else found[0] in GOOD, found


def careless(path):
    text = path.read_bytes()
    if b"\0" in text:
        raise KeyError("a traceback")
    if len(text) > 40:
        return -1
    if text[:1] != b"a":
        raise UserError("no a")
    return 1


def test_what_escapes_is_seen():
    parser = Parser("toy", "a", careless, lambda v: v > 0, lambda p: p.write_text("a" * 20))
    found = fuzz(parser, 300)
    assert sum(found.counts.values()) == 300
    assert {"loaded", "refused", "traceback KeyError", "implausible"} <= set(found.counts)
    assert (
        found.bad == sum(found.counts.values()) - found.counts["loaded"] - found.counts["refused"]
    )


def test_mutations_repeat():
    parser = PARSERS[0]
    seeds = [bytes(np.arange(200, dtype=np.uint8))]
    some = [content_of(parser, seeds, n) for n in range(50)]
    assert some == [content_of(parser, seeds, n) for n in range(50)]
    assert some[0] == seeds[0] and len(set(some)) > 45
