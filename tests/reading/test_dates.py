import pandas as pd
import pytest

from pipeline.errors import UserError


def test_dates_and_times_become_datetimes(table):
    frame = table("d,e,t,z\n2024-01-31,31/01/2024,12:30,2024-01-31T23:00:00-02:00\n?,28/02/2024,,\n")
    assert set(frame.dtypes.astype(str)) == {"datetime64[us]"}
    assert frame["d"][0] == frame["e"][0] == pd.Timestamp("2024-01-31")
    assert frame["t"][0].hour == 12
    assert frame["z"][0] == pd.Timestamp("2024-02-01 01:00")


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
