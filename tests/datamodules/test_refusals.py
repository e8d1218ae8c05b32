"""What cannot be used is counted by its reason, whichever file a reason names."""

import pytest

from astrocnn.datamodules.catalog import Problem
from astrocnn.datamodules.refusals import refuse
from astrocnn.errors import DataError


def said(*problems: Problem) -> str:
    with pytest.raises(DataError) as error:
        refuse(list(problems), skip=False)
    return str(error.value).partition(". Mend them")[0]


def test_files_with_the_same_fault_are_counted_together() -> None:
    short = [Problem(key, f"lc/{key}.csv", f"lc/{key}.csv has no errors; name them.") for key in "abcdefg"]
    other = Problem("x", "lc/x.csv", "lc/x.csv: cut short at byte 2,900; copy it again.")
    assert said(*short, other) == (
        "8 input(s) cannot be used: lc/a.csv has no errors; name them (and so b, c, d, e, f and 1 more); "
        "lc/x.csv: cut short at byte 2,900; copy it again (x)"
    )


def test_reasons_that_name_no_file_are_counted_by_id() -> None:
    outside = [Problem(key, "", "outside every tile") for key in ("o1", "o2")]
    without = [Problem(key, f"my/{key}.fits", "an image without id in the catalogue") for key in ("c", "d")]
    assert said(*outside, *without) == (
        "4 input(s) cannot be used: 2 × outside every tile (o1, o2); 2 × an image without id in the catalogue (c, d)"
    )
    refuse(outside, skip=True)
