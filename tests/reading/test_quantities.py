"""Numbers with units. The oracles are the definitions of the units, and `pandas.to_timedelta`."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from pipeline.errors import UserError
from pipeline.reading import CellFormat, cells, read, typed


def parsed(strings, **settings):
    return cells.parse(pa.chunked_array([strings]), "a", CellFormat(**settings))


def numbers_of(strings, **settings):
    """The column as numbers, and the unit that was found. One warning tells it."""
    with pytest.warns(UserWarning, match="column 'a': numbers with units, ") as told:
        column, found = parsed(strings, **settings)
    assert len(told) == 1
    assert "data.roles.a=categorical" in str(told[0].message)
    return column.to_pylist(), found["units"]


MANY = range(21)


@pytest.mark.parametrize(
    ("strings", "expected", "unit"),
    [
        (["46.8 kg", "64.8 kg"], [46.8, 64.8], "kg"),
        (["46.8KG", None, "?"], [46.8, None, None], "KG"),
        (["1 kg", "2 kg", "10 lb", "3 kg", "500 g"], [1, 2, 4.5359237, 3, 0.5], "kg"),
        (["5'11\"", "6 ft 2 in", "6' 0\""], [5 + 11 / 12, 6 + 2 / 12, 6], "ft"),
        (["20 °C", "21 °C", "50°F"], [20, 21, 10], "°C"),
        (["1.5 GB", "2 GB", "250 MB", "1 GiB"], [1.5, 2, 0.25, 1.073741824], "GB"),
        (["900 sq. ft.", "1 acre", "80 Sq Ft"], [900, 43560, 80], "Sq Ft"),
        (["3.4k", "1.2m", "500"], [3400, 1.2e6, 500], "1"),
        (["€1.2M", "€565K", "€0"], [1.2e6, 565e3, 0], "1"),
        (["1.2 Mio. €", "3 Mio. €"], [1.2e6, 3e6], "1"),
        (["Rs. 1.5 lakh", "Rs. 2 Cr"], [1.5e5, 2e7], "1"),
        (["$1.2bn", "$300m"], [1.2e9, 3e8], "1"),
        (["5.1 ± 0.1 mm", "5.3 +/- 0.2 mm"], [5.1, 5.3], "mm"),
        (["-5 °C", "3 °C"], [-5, 3], "°C"),
        (["1.5e3 m", "20 m"], [1500, 20], "m"),
        (["1yrs 11mon", "0yrs 6mon"], [23 / 12, 0.5], "yrs"),
        (["2h 50m", "3h", "45m"], [2 + 50 / 60, 3, 0.75], "h"),
        (["3 min 20 s", "50 s", "60 s"], [200, 50, 60], "s"),
    ],
)
def test_numbers_are_read_in_the_most_frequent_unit(strings, expected, unit):
    column, found = numbers_of(strings)
    assert column == pytest.approx(expected, nan_ok=True)
    assert found == unit


@pytest.mark.parametrize(
    "strings",
    [
        ["41:38:44", "12:00:00"],
        ["1 days 02:10:00", "0 days 03:00:00"],
        ["PT1H5M", "P1DT2H", "PT45M"],
        ["-1 days +23:00:00", "1 days 00:00:00"],
        ["30:00:00.5", "1:02:03"],
    ],
)
def test_durations_are_hours(strings):
    column, unit = numbers_of(strings)
    assert column == pytest.approx([pd.to_timedelta(string).total_seconds() / 3600 for string in strings])
    assert unit == "h"


def test_two_parts_are_hours_and_minutes_and_beside_three_parts_minutes_and_seconds():
    assert numbers_of(["41:30", "12:15"]) == ([41.5, 12.25], "h")
    assert numbers_of(["41h30", "12H15"]) == ([41.5, 12.25], "h")
    assert numbers_of(["1.02:30:00", "00:45:00"]) == ([26.5, 0.75], "h")  # of .NET
    assert numbers_of(["1:41:30", "41:15", "25:00:00"]) == ([101.5, 41.25, 1500], "min")
    assert (
        typed.parse(pa.chunked_array([["41:15"]]), "a", CellFormat(units={"a": "min"}), "numbers")[0][0].as_py()
        == 41.25
    )


def test_durations_of_parquet_are_hours(tmp_path):
    parquet.write_table(pa.table({"a": pa.array(pd.to_timedelta(["90 min", None, "2 days"]))}), tmp_path / "t.parquet")
    table = read(tmp_path / "t.parquet")
    assert table.frame["a"].fillna(-1).tolist() == [1.5, -1, 48]
    assert table.cell_format.units == {"a": "h"}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_parquet_are_times_of_day_to_the_microsecond(tmp_path, unit):
    kind = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times = pa.array([3_600 * per_second, None, 7_260 * per_second + (unit == "ns")], kind)
    parquet.write_table(pa.table({"a": times}), tmp_path / "t.parquet")
    read_back = read(tmp_path / "t.parquet").frame["a"].dropna()
    assert read_back.tolist() == [pd.Timestamp("1970-01-01 01:00"), pd.Timestamp("1970-01-01 02:01")]


def test_a_unit_that_no_table_has_is_one_where_the_column_has_no_other():
    assert numbers_of([f"{i} km/kg" for i in MANY])[1] == "km/kg"
    assert parsed([f"{i} BHK" for i in range(4)])[0].to_pylist()[0] == "0 BHK"


def test_units_without_a_common_quantity_are_counted_and_the_override_keeps_one():
    strings = [*(f"{i} mg/dL" for i in MANY), "5 mmol/L"]
    with pytest.warns(UserWarning, match=r"mg/dL \(21 cells\), mmol/L \(1 cell\).*-S \+\+data.units.a=mg/dL"):
        assert parsed(strings)[0].to_pylist() == strings
    with pytest.warns(UserWarning, match="'5 mmol/L' .1 cell. can't be converted to 'mg/dL'"):
        assert parsed(strings, units={"a": "mg/dL"})[0].to_pylist() == [*map(float, MANY), None]


def test_prices_in_several_currencies_are_counted_and_the_override_keeps_one():
    strings = ["5 USD", "6 USD", "7 EUR"]
    with pytest.warns(UserWarning, match=r"USD \(2 cells\), EUR \(1 cell\).*-S \+\+data.units.a=USD"):
        assert parsed(strings)[0].to_pylist() == strings
    with pytest.warns(UserWarning, match="'7 EUR' .1 cell. can't be converted to 'USD'"):
        assert parsed(strings, units={"a": "USD"})[0].to_pylist() == [5, 6, None]


def test_percent_beside_shares_is_asked_for_and_both_answers_are_read(table):
    text = "a,b\n12 %,1\n0.13,2\n15%,3\n"
    with pytest.raises(UserError, match=r"""'0.13' has no %.*-S '\+\+data.units.a="1"'.*-S '\+\+data.units.a="%"'"""):
        table(text)
    assert table(text, units={"a": "1"})["a"].tolist() == pytest.approx([0.12, 0.13, 0.15])
    assert table(text, units={"a": "%"})["a"].tolist() == pytest.approx([12, 0.13, 15])


def test_a_new_row_is_converted_and_one_of_an_unknown_unit_is_missing_with_a_warning():
    served = pa.chunked_array([["70 kg", "100 lb", "71", "12 foo"]])
    with pytest.warns(UserWarning, match="'12 foo' .1 cell. can't be converted to 'kg'"):
        column = typed.parse(served, "a", CellFormat(units={"a": "kg"}), "numbers")[0]
    assert column.to_pylist() == pytest.approx([70, 45.359237, 71, None], nan_ok=True)


def test_cells_of_no_number_are_named_as_among_plain_numbers():
    with pytest.raises(UserError, match="'unknown' is not a number, but most cells"):
        parsed([*(f"{i} kg" for i in MANY), "unknown"])


@pytest.mark.parametrize(
    "strings",
    [
        ["30-40", "40-50", "50+"] * 5,
        ["10+ years", "< 1 year", "2 years", "3 years"] * 5,
        ["12A", "13B", "14C", "15D"] * 5,
        ["1st", "2nd", "3rd"] * 5,
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_ranges_codes_and_ordinals_stay_categories(strings):
    assert parsed(strings)[0].to_pylist() == strings


def test_the_role_decides_against_a_unit(table):
    assert table("a,b\n5 kg,1\n6 kg,2\n", roles={"a": "categorical"})["a"].tolist() == ["5 kg", "6 kg"]
    with pytest.warns(UserWarning, match="read as numbers in kg"):
        assert table("a,b\n5 kg,1\n6 kg,2\n", roles={"a": "numeric"})["a"].tolist() == [5, 6]
