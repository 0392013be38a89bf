import warnings

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.errors import UserError
from pipeline.reading import CellFormat, cells, typed


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


@pytest.mark.parametrize(
    ("cell", "date"),
    [
        ("Dec-2015", "2015-12-01"),
        ("Jan-15", "2015-01-01"),
        ("December 2015", "2015-12-01"),
        ("12/2015", "2015-12-01"),
        ("2015Q3", "2015-07-01"),
        ("Q4 2015", "2015-10-01"),
        ("1Q15", "2015-01-01"),
        ("2023-W05", "2023-01-30"),
        ("Wed Oct 10 20:19:24 +0000 2018", "2018-10-10 20:19:24"),
        ("Thu, 3 Jan 2019 15:45:12 +0200", "2019-01-03 15:45:12"),
        ("2023/04/05 3:45:12 PM GMT+2", "2023-04-05 15:45:12"),
        ("4/25/2023 15:45:12", "2023-04-25 15:45:12"),
        ("1st May 2021", "2021-05-01"),
        ("May 22nd, 2021", "2021-05-22"),
        ("Monday, 3 May 2021", "2021-05-03"),
        ("3. März 2021", "2021-03-03"),
        ("5 января 2021 года", "2021-01-05"),
        ("Июль 2020", "2020-07-01"),
        ("7 жовтня 2021", "2021-10-07"),
        ("17 września 2020", "2020-09-17"),
        ("3 A\N{LATIN SMALL LETTER G WITH BREVE}ustos 2019", "2019-08-03"),
        ("2021年1月5日", "2021-01-05"),
        ("2021년 12월 25일", "2021-12-25"),
        ("W05 2023", "2023-01-30"),
        ("20210501T101500", "2021-05-01 10:15"),
        ("01MAY2021:10:15:00", "2021-05-01 10:15"),
        ("01/May/2021:10:15:00 +0200", "2021-05-01 10:15"),
        ("15h30", "1970-01-01 15:30"),
        ("15:30 Uhr", "1970-01-01 15:30"),
        ("1er janvier 2021", "2021-01-01"),
        ("2021年1月5日 9:05", "2021-01-05 09:05"),
        ("5 янв. 2021 года, 10:30", "2021-01-05 10:30"),
        ("05-JAN-21 10.30.00.000000 PM", "2021-01-05 22:30"),
        ("1/15/21 3:04 PM", "2021-01-15 15:04"),
        ("15.01.21 13:04", "2021-01-15 13:04"),
        ("14 juillet 2020", "2020-07-14"),
        ("5 de mayo de 2021", "2021-05-05"),
        ("3:05 PM", "1970-01-01 15:05"),
        ("12:06:07 am", "1970-01-01 00:06:07"),
        ("3 p.m.", "1970-01-01 15:00"),
    ],
)
def test_parts_of_dates_time_stamps_and_languages_are_dates(cell, date):
    column, found = cells.parse(pa.chunked_array([[cell, None]]), "d", CellFormat())
    assert pd.Timestamp(column.to_pylist()[0]) == pd.Timestamp(date)
    again = typed.parse(pa.chunked_array([[cell]]), "d", CellFormat(date_format={"d": found["date_format"]}), "dates")[
        0
    ]
    assert again.to_pylist() == column.to_pylist()[:1]


@pytest.mark.parametrize("strings", [["Market 2020", "Item 2021"], ["Apt 12", "Apt 13"], ["January", "March"]])
def test_words_with_numbers_are_no_dates(strings):
    assert cells.parse(pa.chunked_array([strings]), "d", CellFormat())[0].to_pylist() == strings


def test_serial_numbers_of_excel_among_dates_are_dates_with_a_warning():
    stored = pa.chunked_array([["13/04/2021", "25/12/2020", "43831"]])
    with pytest.warns(UserWarning, match="'43831' .1 cell. among dates .* is 2020-01-01.*data.roles.d=categorical"):
        column, found = cells.parse(stored, "d", CellFormat())
    assert [date.isoformat()[:10] for date in column.to_pylist()] == ["2021-04-13", "2020-12-25", "2020-01-01"]
    assert typed.parse(stored, "d", CellFormat(date_format={"d": found["date_format"]}), "dates")[0].equals(column)


@pytest.mark.parametrize(
    ("name", "number", "date"),
    [
        ("timestamp", 1538438339, "2018-10-01 23:58:59"),
        ("created_time", 1538438339123, "2018-10-01 23:58:59.123"),
        ("orderDate", 43831.5, "2020-01-01 12:00"),
        ("date", 20200131, "2020-01-31"),
    ],
)
def test_numbers_are_dates_where_name_and_range_say_so_unless_the_role_is_numeric(name, number, date):
    stored = pa.chunked_array([[number, None]])
    with pytest.warns(UserWarning, match=rf"column '{name}': numbers such as .* are read as dates.*{name}=numeric"):
        column, found = cells.parse(stored, name, CellFormat())
    assert pd.Timestamp(column.to_pylist()[0]) == pd.Timestamp(date)
    assert typed.parse(stored, name, CellFormat(date_format={name: found["date_format"]}), "dates")[0][0] == column[0]
    assert cells.parse(stored, name, CellFormat(), "numbers")[0].to_pylist() == [number, None]


@pytest.mark.parametrize(
    ("name", "numbers", "date_format"),
    [
        ("v", [1272136254, 1505589001, None], "s"),
        ("last_seen", [1272136254.5, 1505589001], "s"),
        ("v", [1422468157272, 1566851685237], "ms"),
        ("v", [20210501, 20211231, 20200101, 19991130, 20240229], "%Y%m%d"),
        ("v", [202105, 202112, 202001, 199911, 202402], "%Y%m"),
    ],
)
def test_dates_are_proposed_for_numbers_in_their_range_with_an_override_that_reads_them(name, numbers, date_format):
    stored = pa.chunked_array([numbers])
    message = rf"column '{name}': all numbers may be dates.*data.date_format.{name}=\W*{date_format}.*{name}=numeric"
    with pytest.warns(UserWarning, match=message):
        column, found = cells.parse(stored, name, CellFormat())
    assert column.to_pylist() == numbers
    assert not found
    read = typed.parse(stored, name, CellFormat(date_format={name: date_format}), "dates")[0].drop_null().to_pylist()
    assert all(1999 <= date.year <= 2024 for date in read)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("user_id", [1272136254, 1505589001]),
        ("totalPrice", [1272136254, 1505589001]),
        ("v", [272136254, 1505589001]),
        ("v", [20210501, 20211231, 20200101, 19991130, 20240230]),
        ("v", [200000, 200100, 201313, 199900, 202402]),
    ],
)
def test_no_dates_are_proposed_for_other_numbers(name, numbers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cells.parse(pa.chunked_array([numbers]), name, CellFormat())[0].to_pylist() == numbers


def test_months_of_a_language_that_is_not_known_are_one_warning_where_the_shape_is_that_of_a_date():
    days = ["5. tammikuuta 2021", "17. maaliskuuta 2020", "9. kesäkuuta 2019"]
    with pytest.warns(UserWarning, match="look like dates, but 'kesäkuuta', .* no month.*in the file.*categorical"):
        assert cells.parse(pa.chunked_array([days]), "d", CellFormat())[0].to_pylist() == days
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for others in (["5 Elm 5003", "12 Oak 1212"], ["12 Main Street 2020", "5 Elm Street 2021"]):
            cells.parse(pa.chunked_array([others]), "d", CellFormat())


def test_dates_written_in_two_ways_are_read_with_the_override_that_is_shown(table):
    days = pd.date_range("2021-03-14", periods=20)
    written = [f"{day:%Y-%m-%d}" if k % 2 else f"{day:%d.%m.%Y}" for k, day in enumerate(days)]
    text = "d,x\n" + "".join(f"{day},1\n" for day in written)
    with pytest.warns(UserWarning, match="in two ways.*data.date_format.d="):
        table(text)
    assert table(text, date_format={"d": "%d.%m.%Y|%Y-%m-%d"})["d"].tolist() == days.tolist()
