"""docs/packets.md names tests for every row, and every test it names is there."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/packets.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| packet", "| ---"))]


def gtests():
    names = set()
    for folder in ("tests/unit", "tests/dpdk"):
        for source in (ROOT / folder).rglob("*.cc"):
            names |= {f"{suite}.{name}" for suite, name in
                      re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", source.read_text(), re.M)}
    return names


GTESTS = gtests()


def exists(reference):
    if "::" not in reference:
        return reference in GTESTS
    path, test = reference.split("::")
    source = ROOT / "tests" / path
    return source.is_file() and re.search(rf"^def {re.escape(test)}\(", source.read_text(), re.M) is not None


def test_the_page_has_rows():
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_every_row_is_proved(row):
    references = re.findall(r"`([^`]+)`", row.split("|")[3])
    assert references != []
    assert [one for one in references if not exists(one)] == []
