"""README.md's table of families is what family_table.py gives: nothing in it fails, and nothing is left out."""

import families
import family_table
import pytest


@pytest.mark.parametrize("name", families.FAMILIES)
def test_the_row_of_a_family_is_what_comes_out(name):
    row = family_table.make_row(name)
    assert "FAILS" not in row
    assert family_table.written_rows().get(name) == row, "python tests/interop/family_table.py --write mends it"


def test_the_table_has_the_families_that_there_are():
    assert family_table.written() == family_table.heading() + "".join(family_table.written_rows().values())
    assert list(family_table.written_rows()) == list(families.FAMILIES)
