import pyarrow as pa
import pytest

from pipeline.reading import CellFormat, cells, typed


@pytest.mark.parametrize(
    ("strings", "part", "expected"),
    [
        (
            ["a.b@Mail.com", "c@mail.com", "d@x.co.uk", "e@x.co.uk"],
            "domain",
            ["mail.com", "mail.com", "x.co.uk", "x.co.uk"],
        ),
        (
            ["https://www.a.org/x?y=1", "http://a.org", "www.b.de/1", "https://b.de:80/"],
            "host",
            ["a.org"] * 2 + ["b.de"] * 2,
        ),
        (["10.0.0.1", "10.0.7.7", "192.168.1.4", "192.168.1.5"], "network", ["10.0", "10.0", "192.168", "192.168"]),
    ],
)
def test_the_part_of_addresses_that_repeats_is_read_in_training_and_when_served(strings, part, expected):
    with pytest.warns(UserWarning, match=f"the {part} is read: 2 distinct.*data.roles.a=categorical"):
        column, found = cells.parse(pa.chunked_array([strings]), "a", CellFormat())
    assert column.to_pylist() == expected
    assert found == {"parts": part}
    served = typed.parse(
        pa.chunked_array([[*strings, None, "?", "other"]]), "a", CellFormat(parts={"a": part}), "strings"
    )[0]
    assert served.to_pylist() == [*expected, None, None, "other"]


def test_addresses_whose_parts_do_not_repeat_stay_whole_and_the_role_keeps_all(table):
    emails = [f"me@host{k}.com" for k in range(9)]
    assert cells.parse(pa.chunked_array([emails]), "a", CellFormat())[0].to_pylist() == emails
    whole = table("a,b\nx@a.com,1\ny@a.com,2\nz@b.com,3\nv@b.com,3\n", roles={"a": "categorical"})["a"]
    assert whole.tolist() == ["x@a.com", "y@a.com", "z@b.com", "v@b.com"]
