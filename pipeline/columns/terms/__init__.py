"""Terms: what the columns of a table become, so that a margin is a sum over them.

term        what a term is
line        a number as a straight line, and where it is missing
dates       parts of a date
categories  strings
tokens      the words of texts
lists       the values of lists
curve       what a number adds beside its line
cyclic      curves of hour, weekday and month
pair        two terms that act together
offset      a known part of the log-odds
expression  what a term adds, for any language
design      the terms of a table together
fields      the values of a saved model, each checked when it is taken
"""

from pipeline.columns.terms.categories import Categories
from pipeline.columns.terms.design import Design, Features, prepare
from pipeline.columns.terms.offset import Offset
from pipeline.columns.terms.term import Rows, Settings, Term
from pipeline.columns.terms.tokens import Tokens, Words

__all__ = ["Categories", "Design", "Features", "Offset", "Rows", "Settings", "Term", "Tokens", "Words", "prepare"]
