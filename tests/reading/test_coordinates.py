import warnings

import pytest

from pipeline.errors import UserError
from pipeline.reading import Options, coordinates, read

PARIS = [
    "48.85, 2.35",
    "(48.85, 2.35)",
    "48,85; 2,35",
    "48.85 2.35",
    "POINT(2.35 48.85)",
    "SRID=4326;POINT (2.35 48.85)",
    "48°51'N 2°21'E",
    "48° 51\N{PRIME} 0\N{DOUBLE PRIME} N, 2° 21\N{PRIME} 0\N{DOUBLE PRIME} E",
    "48.85N, 2.35E",
    "N48.85 E2.35",
    "2.35E, 48.85N",
]


@pytest.mark.parametrize("cell", PARIS)
def test_a_place_is_the_same_in_each_notation(cell):
    assert coordinates.degrees(cell) == pytest.approx({"latitude": 48.85, "longitude": 2.35})


@pytest.mark.parametrize("cell", ["33.87S 70.66W", "-33.87, -70.66", "\N{MINUS SIGN}33.87, \N{MINUS SIGN}70.66"])
def test_south_and_west_are_less_than_0(cell):
    assert coordinates.degrees(cell) == {"latitude": -33.87, "longitude": -70.66}


@pytest.mark.parametrize("cell", ["95.5, 2.35", "48.85, 181.2", "48.85", "10.0.0.1", "48N 51N", "2023-01-05", "a, b"])
def test_other_strings_are_no_coordinates(cell):
    assert coordinates.degrees(cell) is None


def places(tmp_path, **options):
    rows = [f'"{48 + k / 100:.2f}, {2 + k / 50:.2f}",{k % 7},{"yn"[k % 2]}' for k in range(20)]
    rows[3] = ",1,y"
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["place,n,class", *rows]) + "\n")
    return read(path, Options(**options), target="class")


def test_coordinates_in_one_cell_become_two_columns_of_numbers(tmp_path):
    with pytest.warns(UserWarning, match=r"place_latitude and place_longitude: '48.00, 2.00' is 48 and 2.*data.roles"):
        frame, cells = places(tmp_path)
    assert frame.columns.tolist() == ["place_latitude", "place_longitude", "n", "class"]
    assert frame.loc[[0, 19], "place_latitude"].tolist() == [48, 48.19]
    assert frame.loc[[0, 19], "place_longitude"].tolist() == [2, 2.38]
    assert frame["place_latitude"].isna().sum() == 1
    assert cells.parts == {"place_latitude": "latitude", "place_longitude": "longitude"}


def test_a_word_among_coordinates_is_proposed_as_missing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("place;y\n" + "".join(f"{'unknown' if k == 3 else f'48.{k}5, 2.{k}5'};a\n" for k in range(1, 20)))
    with pytest.warns(UserWarning, match=r"not 'unknown' \(1 cell\).*data.more_missing=\[unknown\]"):
        read(path, target="y")
    with pytest.warns(UserWarning, match="two columns"):
        frame = read(path, Options(more_missing=["unknown"]), target="y").frame
    assert frame["place_latitude"].isna().sum() == 1


def test_lists_of_small_numbers_are_no_coordinates(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("v;y\n" + "1, 2;a\n2, 3;b\n3;a\n" * 9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(path, target="y").frame["v"].tolist()[:3] == ["1, 2", "2, 3", "3"]


def test_settings_take_one_part_replace_a_cell_or_keep_strings(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame, _ = places(tmp_path, parts={"place_longitude": "longitude"})
        assert frame.columns.tolist() == ["place_longitude", "n", "class"]
        with pytest.raises(UserError, match="no column 'plac'"):
            places(tmp_path, parts={"plac_latitude": "latitude"})
    with pytest.warns(UserWarning, match="two columns"):
        frame, cells = places(tmp_path, replace={"place": {"48.00, 2.00": "0.50, 0.25"}})
    assert frame.iloc[0, :2].tolist() == [0.5, 0.25]
    again = places(
        tmp_path, parts=cells.parts, columns=["place_latitude", "place_longitude", "class"], replace=cells.replace
    ).frame
    assert again.columns.tolist() == ["place_latitude", "place_longitude", "class"]
