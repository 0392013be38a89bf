"""A model in other languages: each gives the probability, the class and the contributions of `predict`.

formula   a model as sums of expressions of cells, which all of them write down
program   Python and JavaScript, without any library
sql       one SELECT, for DuckDB, PostgreSQL and SQLite
sheet     a workbook with visible formulas
page      one page that calculates
points    effects as whole points, on a card
"""
