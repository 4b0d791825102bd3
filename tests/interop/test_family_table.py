"""README.md's table of families is what family_table.py gives: nothing in it fails, and nothing is left out."""

import families
import family_table
import pytest


@pytest.mark.parametrize("name", families.FAMILIES)
def test_the_row_of_a_family_is_what_comes_out(name):
    row = family_table.make_row(name)
    assert "FAILS" not in row
    assert row in family_table.written(), "python tests/interop/family_table.py --write mends it"


def test_the_table_has_the_families_that_there_are():
    text = family_table.written()
    assert text.startswith(family_table.heading())
    rows = text.removeprefix(family_table.heading()).splitlines()
    assert [row.split(" | ")[0] for row in rows] == [f"| {name}" for name in families.FAMILIES]
