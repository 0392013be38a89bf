"""Numbers as people and programs write them, in tables that are read whole."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.overrides import override
from pipeline.reading import numbers

PLAIN = [f"{n}.5" for n in range(1, 25)]


def column(table, cells, **options) -> pd.Series:
    quoted = (cell.replace('"', '""') for cell in cells)
    return table("a;b\n" + "".join(f'"{cell}";1\n' for cell in quoted), delimiter=";", **options)["a"]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("\N{MINUS SIGN}17", -17),
        ("\N{EN DASH}17.25", -17.25),
        ("(17.25)", -17.25),
        ("( 17 )", -17),
        ("17.25-", -17.25),
        ("1.725D+01", 17.25),
        ("1725d-2", 17.25),
        ("17%", 17),
        ("17.25 %", 17.25),
        ("£17.25", 17.25),
        ("17 ₹", 17),
        ("-$17", -17),
        ("($17.25)", -17.25),
        ("US$ 17", 17),
        ("17 CHF", 17),
        ("'17.25", 17.25),
        ('="17.25"', 17.25),
        ("17 000.5", 17000.5),
        ("17\N{NARROW NO-BREAK SPACE}000", 17000),
        ("17'000", 17000),
        ("1,70,00,000", 17000000),
        ("17,000,000.5", 17000000.5),
        ("17,000", 17000),
        ("\u0967\u096d", 17),
        ("\u0663\u066b\u0665", 3.5),
        ("\uff11\uff17\uff0e\uff15", 17.5),
    ],
)
def test_a_notation_that_can_not_be_mistaken_is_read_beside_numbers_with_a_warning(table, cell, number):
    with pytest.warns(
        UserWarning, match=r"column 'a': 1 of 25 cells are written like .*data.roles.a=categorical"
    ) as warned:
        found = column(table, [*PLAIN, cell])
    assert found.tolist() == [*map(float, PLAIN), number]
    assert repr(cell) in str(warned[0].message)
    assert f"the number {number:.15g}" in str(warned[0].message)


@pytest.mark.parametrize(("cell", "number"), [("€ {}", 7), ("{} %", 7), ("(0{}.00)", -7), ('="0{}"', 7), ("{}-", -7)])
def test_a_notation_of_all_cells_is_read_too(table, cell, number):
    with pytest.warns(UserWarning, match=r"30 of 30 cells are written like"):
        assert column(table, [cell.format(n) for n in range(30)]).iloc[7] == number


def test_percent_beside_plain_numbers_are_said_to_be_one_unit(table):
    with pytest.warns(UserWarning, match=r"Cells without % are taken for percent, too: '2.5'"):
        assert column(table, ["1.5%", "2.5"] * 9).tolist() == [1.5, 2.5] * 9


def test_a_model_that_is_served_reads_the_same_notations_without_a_warning(table, recwarn):
    assert column(table, ["(5)"], roles={"a": "numeric"}).tolist() == [-5]
    assert not recwarn.list


def test_groups_after_a_point_make_the_comma_a_decimal_mark_of_this_column(table):
    with pytest.warns(UserWarning, match=r"digit groups.*-S 'data.thousands=\"[.]\"'"):
        found = column(table, ["1.234.567", "1.234", "1.234,5", "17"])
    assert found.tolist() == [1234567, 1234, 1234.5, 17]


@pytest.mark.parametrize(
    "cells",
    [
        ["1,234", "17"],  # a decimal, perhaps
        ["1,234", "0,338", "5.5"],
        ["1.234.567", "17.5"],  # a group or a decimal mark
        ["1,234,567", "1.234.567"],
    ],
)
def test_groups_that_other_cells_leave_open_or_contradict_are_not_read(table, cells):
    with pytest.raises(UserError, match="column 'a'"):
        column(table, [*cells, *["8"] * 60])


def test_two_currencies_in_one_column_are_not_one_unit(table):
    with pytest.raises(UserError, match=r"'\$5' is not a number, but most cells"):
        column(table, [*PLAIN, "$5", "€5"])


@pytest.mark.parametrize("cell", ["<0.1", ">= 90", "5-10", "17 kg", "1.2.2024", "17k", "1O5"])
def test_what_can_be_mistaken_stops_with_the_choices(table, cell):
    with pytest.raises(UserError) as raised:
        column(table, [*PLAIN * 3, *[cell] * 5])
    message = str(raised.value)
    assert f"row 73, column 'a': {cell!r} is not a number, but most cells of this column are (5 such cells)" in message
    assert "93.5% of the known cells are numbers" in message
    assert "-S ++data.roles.a=categorical" in message
    assert "-S 'data.drop=[a]'" in message


def test_a_bound_is_shown_with_the_replacement_that_reads_it(table):
    with pytest.raises(UserError, match=r"should stand for '<0.1': ") as raised:
        column(table, [*PLAIN, *["<0.1"] * 6])
    assert override("data.replace", {"a": {"<0.1": "0.1"}}) in str(raised.value)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.45, 0.7])
@pytest.mark.parametrize("word", ["unknown", "Not Available", "DataSuppressed"])
def test_a_word_in_a_column_of_numbers_is_proposed_as_missing_at_any_share(table, word, share):
    cells = [f"{n / 8}" for n in range(200)]
    n_words = int(200 * share)
    cells[:n_words] = [word] * n_words
    with pytest.raises(UserError) as raised:
        column(table, cells)
    setting = f"[{word}]" if word.isalpha() else f'["{word}"]'
    assert f"If {word!r} means missing: -S 'data.more_missing={setting}'." in str(raised.value)
    assert f"({n_words} such cells)" in str(raised.value)
    assert ("most cells" in str(raised.value)) == (share < 0.5)
    assert column(table, cells, more_missing=[word]).isna().sum() == n_words


def test_codes_of_which_most_are_numbers_are_strings_with_a_warning(table):
    cells = [f"{n}.{n % 7}" for n in range(200, 260)] + [f"V{n}" for n in range(20, 50)]
    with pytest.warns(UserWarning, match=r"67% of the known cells are numbers, but 'V20' \(1 cell\), .* no numbers"):
        assert column(table, cells).tolist() == cells


def test_a_column_of_few_strings_of_which_most_are_numbers_is_categories_with_a_warning(table):
    with pytest.warns(UserWarning, match=r"'5\+' \(9 cells\) is no number.*categories: 5 distinct.*data.roles.a=categ"):
        assert column(table, ["1", "2", "3", "4", "5+"] * 9).nunique() == 5


def test_words_are_no_numbers_and_no_warning(table, recwarn):
    cells = ["red", "blue", "route 66", "7 Up", "B-52", "12"] * 5
    assert column(table, cells).tolist() == cells
    assert not recwarn.list


@pytest.mark.parametrize("word", ["na", "none", "missing", "..", ":", ".B", ".Z"])
def test_rare_words_mean_missing_where_all_other_cells_are_numbers_or_dates(table, word):
    with pytest.warns(UserWarning, match=rf"column 'a': '{word}' \(3 cells\) is read as missing, because all other"):
        numbers = column(table, [*PLAIN, *[word] * 3])
    assert numbers.isna().sum() == 3
    with pytest.warns(UserWarning, match=rf"'{word}' \(1 cell\) is read as missing, because all other cells are dates"):
        assert column(table, ["2024-01-31", "2024-02-01", word]).isna().tolist() == [False, False, True]


def test_rare_words_are_categories_among_others(table, recwarn):
    assert column(table, ["mild", "none", "severe", "missing"] * 3).notna().all()
    assert not recwarn.list


@pytest.mark.parametrize(
    "word", ["\\N", "n.a.", "#N/A N/A", "1.#QNAN", "-1.#IND", "1.#INF", "\N{EM DASH}", "\N{EN DASH}"]
)
def test_words_of_databases_and_spreadsheets_mean_missing_everywhere(table, word):
    assert column(table, ["1", word, "2.5"]).isna().tolist() == [False, True, False]
    assert column(table, ["x", word, "y"]).isna().tolist() == [False, True, False]


def test_added_words_mean_missing_beside_the_usual_ones(table):
    found = table("a,b\nunknown,x\nNA,unknown\n3,y\n", more_missing=["unknown"])
    assert found["a"].isna().tolist() == [True, True, False]
    assert found["b"].fillna("-").tolist() == ["x", "-", "y"]


def test_a_list_of_the_user_that_leaves_a_usual_word_out_is_a_warning_where_it_becomes_a_category(table):
    with pytest.warns(UserWarning, match=r"'NA' \(2 cells\) is read as a category.*use data.more_missing instead"):
        found = table("a,b\nred,1\nNA,2\nNA,3\nunknown,4\n", missing_values=["", "unknown"])
    assert found["a"].fillna("-").tolist() == ["red", "NA", "NA", "-"]


def test_a_replacement_of_a_number_holds_however_it_is_written(table):
    found = table("a,b\n-999,-999\n-999.0,2\n5,3\n", replace={"a": {"-999": "NA"}})
    np.testing.assert_array_equal(found["a"], [np.nan, np.nan, 5])
    assert found["b"].tolist() == [-999, 2, 3]


@pytest.mark.parametrize("size", [1e-170, 1e-300, 1e299])
def test_very_small_and_very_large_numbers_are_read(table, size):
    assert column(table, [f"{n * size!r}" for n in range(1, 9)]).tolist() == [n * size for n in range(1, 9)]


def test_a_price_has_no_three_decimals_so_its_comma_groups_digits(table):
    with pytest.warns(UserWarning, match=r"'\$[0-9,]+', which is read as the number"):
        assert column(table, [f"${n * 1000:,}" for n in range(40)]).tolist() == [n * 1000 for n in range(40)]


@pytest.mark.parametrize("cell", ["(1,234)", "1,234-", "1,234%"])
def test_groups_with_a_sign_that_may_be_decimals_are_one_message_with_both_settings(table, cell):
    with pytest.raises(
        UserError, match=r"has a thousands separator .*data.thousands=\",\".*decimal mark.*data.decimal"
    ):
        column(table, [cell, "5,678", "12"])


def test_marks_of_footnotes_beside_numbers_stop_with_the_choices(table):
    with pytest.raises(UserError, match=r"'7.5\*' is not a number, but most.*'7.5\*' \(1 cell\).* and 3 others"):
        column(table, [*PLAIN, *[f"{n}.5*" for n in range(7, 13)]])


SPACE = "\N{NARROW NO-BREAK SPACE}"


@given(
    number=st.decimals(-(10**12), 10**12, places=2),
    sign=st.sampled_from(["-{}", "\N{MINUS SIGN}{}", "({})", "{}-"]),
    unit=st.sampled_from(["{}", "${}", "{} €", "{}%"]),
    text=st.sampled_from(["{}", "'{}", '="{}"']),
    marks=st.sampled_from([("", "."), (",", "."), (".", ","), ("'", "."), (SPACE, ".")]),
    digits=st.sampled_from(["0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"]),
)
def test_a_number_with_decimals_is_read_as_it_was_in_any_notation(number, sign, unit, text, marks, digits):
    thousands, decimal = marks
    plain = f"{abs(number):,.2f}".replace(".", "_").replace(",", thousands).replace("_", decimal)
    written = unit.format(plain.translate(str.maketrans("0123456789", digits)))
    written = text.format(sign.format(written) if number < 0 else written)
    assert numbers.read(pa.array([written], pa.large_string()), decimal, None).read.to_pylist() == [float(number)]
