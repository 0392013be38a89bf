import pandas as pd
import pyarrow as pa
import pytest

from pipeline.errors import UserError
from pipeline.reading import CellFormat, cells


def test_dates_and_times_become_datetimes(table):
    frame = table("d,e,t,z\n2024-01-31,31/01/2024,12:30,2024-01-31T23:00:00-02:00\n?,28/02/2024,,\n")
    assert set(frame.dtypes.astype(str)) == {"datetime64[us]"}
    assert frame["d"][0] == frame["e"][0] == pd.Timestamp("2024-01-31")
    assert frame["t"][0].hour == 12


@pytest.mark.parametrize(
    ("cell", "date"),
    [
        ("13/04/23", "2023-04-13"),
        ("4/13/23", "2023-04-13"),
        ("13.04.23", "2023-04-13"),
        ("13-Apr-23", "2023-04-13"),
        ("4/13/2023 3:04:05 PM", "2023-04-13 15:04:05"),
        ("2023-04-13 3:04 am", "2023-04-13 03:04"),
        ("12:30", "1970-01-01 12:30"),
        ("12:30:15", "1970-01-01 12:30:15"),
    ],
)
def test_dates_of_many_formats_are_recognised_with_and_without_the_role(table, cell, date):
    text = f"d,x\n{cell},1\n"
    assert table(text)["d"].tolist() == table(text, roles={"d": "date"})["d"].tolist() == [pd.Timestamp(date)]


def test_a_date_format_decides_between_day_and_month(table):
    text = "d,x\n05/01/2024,1\n06/02/2024,2\n"
    assert table(text, date_format="%d/%m/%Y")["d"].dt.month.tolist() == [1, 2]
    assert table(text, date_format="%m/%d/%Y")["d"].dt.month.tolist() == [5, 6]


def test_a_date_format_wins_over_what_the_cells_look_like(table):
    first_of_february = [pd.Timestamp("2023-02-01")]
    assert table("d,x\n2023-01-02,1\n", date_format="%Y-%d-%m")["d"].tolist() == first_of_february
    assert table("d,x\n2023-01-02,1\n", date_format={"d": "%Y-%d-%m"})["d"].tolist() == first_of_february
    assert table("d,x\n20230201,1\n", date_format={"d": "%Y%m%d"})["d"].tolist() == first_of_february


def test_a_role_of_date_reads_numbers_as_dates(table):
    frame = table("d,x\n20240131,1\n20240228,2\n", roles={"d": "date"}, date_format="%Y%m%d")
    assert frame["d"].tolist() == [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-28")]


def test_a_column_of_the_role_date_may_be_missing_everywhere(table):
    assert table("d,x\n?,1\n,2\n", roles={"d": "date"})["d"].isna().all()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("d,x\n2024-01-05,1\n", {"date_format": {"day": "%Y"}}, "no column 'day'"),
        (
            "d,x\n05/04/24,1\n06/02/24,2\n",
            {},
            "'05/04/24' can be read as %d/%m/%y or %m/%d/%y .2 such cells.*data.date_format=.%d/%m/%y",
        ),
        ("d,x\n05/01/2024,1\n06/02/2024,2\n", {}, "'05/01/2024' can be read as %m/%d/%Y or %d/%m/%Y"),
        ("d,x\n" + "2024-01-05,1\n" * 20 + "soon,2\n", {}, "row 21, column 'd': 'soon' is not a date of the format"),
        ("d,x\n2024-02-28,1\n2024-02-30,2\n", {}, "row 2, column 'd': '2024-02-30' is not a date of the format %Y-%m"),
        ("d,x\n05/01/2024,1\n", {"date_format": "%q"}, "data.date_format = '%q' is not a date format: .*%d/%m/%Y"),
        ("d,x\nsoon,1\n", {"roles": {"d": "date"}}, "row 1, column 'd': 'soon' is not a date of a known format"),
        ("d,x\nsoon,1\n", {"date_format": {"d": "%d.%m.%Y"}}, "'soon' is not a date of the format %d.%m.%Y"),
    ],
)
def test_a_cell_that_is_no_date_is_one_message(table, text, options, message):
    with pytest.raises(UserError, match=message):
        table(text, **options)


@pytest.mark.parametrize(
    ("winter", "summer"),
    [
        ("2024-01-31T09:30:00+01:00", "2024-07-31T09:30:00+02:00"),
        ("2024-01-31 09:30:00 -0500", "2024-07-31 09:30:00 -0400"),
        ("2024-01-31T09:30:00.25Z", "2024-07-31T09:30:00.25+0100"),
    ],
)
def test_a_time_with_an_offset_keeps_the_hour_that_is_written(table, winter, summer):
    found = table(f"d,x\n{winter},1\n{summer},2\n", roles={"d": "date"})["d"]
    assert found.dt.strftime("%H:%M").tolist() == ["09:30", "09:30"]
    assert found.dt.month.tolist() == [1, 7]


def test_a_stored_time_with_a_time_zone_keeps_the_hour_of_its_clocks():
    times = pd.to_datetime(["2024-01-31 09:30", "2024-07-31 09:30"]).tz_localize("Europe/Amsterdam")
    found, _ = cells.parse(pa.chunked_array([pa.array(times)]), "t", CellFormat())
    assert [time.hour for time in found.to_pylist()] == [9, 9]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_a_word_in_a_column_of_dates_is_proposed_as_missing_at_any_share(table, share):
    days = pd.date_range("2021-03-04", periods=100).strftime("%d.%m.%Y").tolist()
    days[: int(100 * share)] = ["pending"] * int(100 * share)
    text = "d;x\n" + "".join(f"{day};1\n" for day in days)
    with pytest.raises(UserError, match=r"row 1, column 'd': 'pending' is not a date .*data.more_missing=\[pending\]'"):
        table(text)
    assert table(text, more_missing=["pending"])["d"].isna().sum() == int(100 * share)


def test_day_and_month_that_change_places_are_one_message(table):
    days = ["13/04/2023", "04/14/2023", "05/06/2023"] * 9
    with pytest.raises(UserError, match=r"'.*/2023' is not a date of the format .*, but '.*' is: day and month change"):
        table("d,x\n" + "".join(f"{day},1\n" for day in days))


def test_a_date_that_means_missing_is_none_however_it_is_written(table):
    text = "d,e,x\n9999-12-31,31.12.9999,1\n2024-02-28,13.01.2024,2\n"
    found = table(text, more_missing=["9999-12-31"])
    assert found[["d", "e"]].isna().to_numpy().tolist() == [[True, True], [False, False]]
