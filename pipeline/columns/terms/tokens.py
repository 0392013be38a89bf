"""Tokens: a feature for each word of a text, or for each value of a list (`lists`), in cells that have any number.

    base columns of words    tf idf / norm      tf   how often the cell has the word
    of pairs of neighbours   the same           idf  log((1 + n) / (1 + rows that have it)) + 1
                                                norm so that the squares of the words of a row sum to 1, and apart from
                                                     these those of its pairs

Words are as in scikit-learn's `TfidfVectorizer`, but in any language: letters and digits that stand together, in lower
case, with apostrophes within. Where no spaces stand between words (Chinese, Japanese, Thai), each character counts as
a word, as emoji and signs of currency do; pairs of them are then what words are elsewhere. What a prediction needs is
two regular expressions, and the tokens.

idf and norm are those of all training rows of the table and depend on no target. A fold has the features whose tokens
enough of its own rows have. A word's unit, in which weights are given, is what a row that has it has of it on average.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from pipeline.columns.terms import expression
from pipeline.columns.terms.expression import Constant, Expression
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.line import Missing
from pipeline.columns.terms.term import Map, Piece, Rows, Settings, Term
from pipeline.files.formats import significant
from pipeline.files.stored import GROUP_ROWS, Table

LEAST = 2  # rows that have a token, in training
IDF_DIGITS = 9
ALONE = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{So}\p{Sc}]"  # each is a word
BETWEEN = r"'*[^\p{L}\p{M}\p{N}\p{So}\p{Sc}']+'*"  # words


class Tokens(Term):
    """A column of cells with any number of tokens.

    tokens  the single ones; pairs (n_pairs, 2), positions in `tokens` of two neighbours; idf (n_tokens + n_pairs,)
    """

    role: ClassVar[str]  # of the column

    def __init__(self, column: str, tokens: list[str], pairs: np.ndarray, idf: np.ndarray) -> None:
        self.columns, self.tokens, self.pairs, self.idf = (column,), tokens, pairs, idf
        self.n_counts = len(idf)

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence[Term]) -> list[Term]:
        """The tokens of each column of this role, and an indicator of missing cells where there are some."""
        terms: list[Term] = []
        for name in (name for name in table.columns if settings.tokens.get(name) == cls.role):
            cells = table[name]
            terms += [cls._of(str(name), cells, settings), *[Missing(str(name))] * bool(cells.isna().any())]
        return terms

    @classmethod
    def _of(cls, name: str, cells: pd.Series, settings: Settings) -> "Tokens":
        raise NotImplementedError

    def split(self, cells: pa.Array) -> tuple[np.ndarray, pa.Array]:
        """The row (n,) of each token in some cells, ascending, and the tokens (n,)."""
        raise NotImplementedError

    def encode(self, table: Table) -> Piece:
        parts = [self._encoded(cells) for cells in chunks(table[self.columns[0]])]
        return Piece(counts=parts[0] if len(parts) == 1 else sparse.vstack(parts, format="csr"))

    def _encoded(self, cells: pa.Array) -> sparse.csr_matrix:
        rows, found = self.split(cells)
        codes = positions(found, self.tokens)
        parts = [_csr(rows, codes, len(cells), len(self.tokens))]
        if len(self.pairs):
            n, keys = len(self.tokens), self.pairs @ [len(self.tokens), 1]
            order = np.argsort(keys)
            wanted, rows = neighbours(rows, codes, n)
            place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
            parts.append(_csr(rows, np.where(keys[order[place]] == wanted, order[place], -1), len(cells), len(keys)))
        return self._weighted(parts)

    def _weighted(self, parts: list[sparse.csr_matrix]) -> sparse.csr_matrix:
        """How often each row has each token, as numbers of the base matrix."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        return {
            "column": self.columns[0],
            "tokens": self.tokens,
            "pairs": self.pairs.tolist(),
            "idf": self.idf.tolist(),
        }

    @property
    def labels(self) -> list[str]:
        """What each base column is called: the tokens, then the pairs."""
        return [*self.tokens, *(f"{self.tokens[i]} {self.tokens[j]}" for i, j in self.pairs)]

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        """A feature for each token that enough rows have."""
        n, (seen, sums, squares) = len(rows), rows.tallies(self)
        kept = np.flatnonzero(seen >= max(settings.min_rows, LEAST))
        if not len(kept):
            return None
        factor, labels = self.factor(settings), self.labels
        mean = sums[kept] / n
        deviation = factor * np.sqrt(np.maximum(squares[kept] / n - mean**2, 0))
        unit = significant(factor * sums[kept] / seen[kept], IDF_DIGITS)
        return Map(
            [f"{self.name}: {labels[k]}" for k in kept],
            rows.first(self) + kept,
            np.arange(len(kept)),
            np.full(len(kept), factor),
            np.zeros(len(kept)),
            1 / unit,
            deviation,
        )

    def factor(self, settings: Settings) -> float:
        """What features are multiplied by: the larger, the less their weights are penalised."""
        return 1.0


class Words(Tokens):
    """The words of a text."""

    kind = "words"
    role = "text"

    @classmethod
    def _of(cls, name: str, cells: pd.Series, settings: Settings) -> "Words":
        least, n = max(settings.min_rows, LEAST), len(cells)
        seen = pd.Series(dtype=float)
        for part in chunks(cells):
            seen = seen.add(rows_with(*split_words(part)), fill_value=0)
        frequent = most_frequent(seen[seen >= least], settings.words)
        of_words = cls(name, sorted(frequent.index), np.empty((0, 2), int), np.empty(0))
        rows_of_tokens, pairs = frequent[of_words.tokens].to_numpy(), np.empty((0, 2), int)
        if settings.word_pairs and len(of_words.tokens):
            width, of_pairs = len(of_words.tokens), pd.Series(dtype=float)
            for part in chunks(cells):
                rows, found = split_words(part)
                keys, rows = neighbours(rows, positions(found, of_words.tokens), width)
                of_pairs = of_pairs.add(rows_with(rows[keys >= 0], keys[keys >= 0]), fill_value=0)
            of_pairs = most_frequent(of_pairs[of_pairs >= least], settings.words).sort_index()
            keys = of_pairs.index.to_numpy(np.int64)
            pairs = np.column_stack([keys // width, keys % width])
            rows_of_tokens = np.append(rows_of_tokens, of_pairs.to_numpy())
        idf = significant(np.log((1 + n) / (1 + rows_of_tokens)) + 1, IDF_DIGITS)
        return cls(name, of_words.tokens, pairs, idf)

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence[Term]) -> "Words":
        tokens = state.texts("tokens")
        pairs = state.numbers("pairs", None, 2).astype(int)
        if len(pairs) and not (pairs.min() >= 0 and pairs.max() < len(tokens)):
            raise state.wrong("a pair is not one of two tokens")
        return cls(state.text("column"), tokens, pairs, state.numbers("idf", len(tokens) + len(pairs)))

    def split(self, cells: pa.Array) -> tuple[np.ndarray, pa.Array]:
        return split_words(cells)

    def _weighted(self, parts: list[sparse.csr_matrix]) -> sparse.csr_matrix:
        first = 0
        for part in parts:
            part.data *= self.idf[first:][part.indices]
            squares = np.add.reduceat(np.append(part.data**2, 0.0), part.indptr[:-1]) if part.shape[0] else part.data
            part.data /= np.repeat(np.sqrt(squares), np.diff(part.indptr))
            first += part.shape[1]
        return sparse.hstack(parts, format="csr")

    def factor(self, settings: Settings) -> float:
        return float(settings.words_penalty**-0.5)

    def expression(self, weights: np.ndarray) -> Expression:
        both = list(zip(self.idf.tolist(), weights.tolist(), strict=True))
        n, labels = len(self.tokens), self.labels
        words, pairs = dict(zip(self.tokens, both, strict=False)), dict(zip(labels[n:], both[n:], strict=True))
        return expression.Missing(self.columns[0], Constant(0.0), expression.Words(self.columns[0], words, pairs))


def split_words(cells: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """The row (n,) of each word of some texts, ascending, and the words (n,)."""
    text = pc.fill_null(cells, "")
    is_other = pc.invert(pc.string_is_ascii(text))
    composed = [unicodedata.normalize("NFKC", cell) for cell in text.filter(is_other).to_pylist()]
    text = pc.utf8_lower(pc.replace_with_mask(text, is_other, pa.array(composed, text.type)))
    text = pc.replace_substring(text, "\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = pc.replace_substring_regex(pc.replace_substring_regex(text, ALONE, r" \0 "), BETWEEN, " ")
    return flat(pc.split_pattern(pc.utf8_trim(text, " '"), " "))


def flat(lists: Any) -> tuple[np.ndarray, pa.Array]:
    """The row of each string in lists of strings, and the strings, without empty ones."""
    rows = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy(zero_copy_only=False))
    strings = lists.flatten()
    is_word = pc.not_equal(strings, "")
    return rows[is_word.to_numpy(zero_copy_only=False)], strings.filter(is_word)


def chunks(cells: pd.Series) -> Iterator[pa.Array]:
    """Strings in groups of rows; at least one, which may be empty."""
    for start in range(0, max(len(cells), 1), GROUP_ROWS):
        part = pa.array(cells.iloc[start : start + GROUP_ROWS], pa.large_string(), from_pandas=True)
        yield part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part


def positions(found: pa.Array, tokens: list[str]) -> np.ndarray:
    """The position of each in `tokens`, -1 for others, (n,)."""
    places = pc.index_in(found, pa.array(tokens, pa.large_string()))
    return pc.fill_null(places, -1).to_numpy(zero_copy_only=False)


def neighbours(rows: np.ndarray, codes: np.ndarray, n_tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """A number for each two tokens that follow each other in a row, -1 where one has no code; and the rows."""
    first, second = codes[:-1].astype(np.int64), codes[1:]
    is_pair = rows[:-1] == rows[1:]
    keys = np.where((first >= 0) & (second >= 0), first * n_tokens + second, -1)
    return keys[is_pair], rows[:-1][is_pair]


def rows_with(rows: np.ndarray, tokens: Any) -> pd.Series:
    """In how many rows each token is, by token."""
    encoded = pa.array(tokens).dictionary_encode()
    codes, n = encoded.indices.to_numpy(), len(encoded.dictionary)
    counts = _csr(rows, codes, int(rows[-1]) + 1 if len(rows) else 0, n)
    return pd.Series(np.bincount(counts.indices, minlength=n), index=encoded.dictionary.to_pandas(), dtype=float)


def most_frequent(seen: pd.Series, n: int) -> pd.Series:
    """The n tokens that most rows have; of equal ones the first in their order."""
    return seen.sort_index().sort_values(ascending=False, kind="stable").head(n)


def _csr(rows: np.ndarray, codes: np.ndarray, n_rows: int, n_columns: int) -> sparse.csr_matrix:
    """How often each code is in each row; -1 is none. `rows` ascend."""
    known = codes >= 0
    ends = np.append(0, np.cumsum(np.bincount(rows[known], minlength=n_rows)))
    counts = sparse.csr_matrix((np.ones(int(known.sum())), codes[known], ends), (n_rows, n_columns))
    counts.sum_duplicates()
    return counts
