"""A frame to a matrix: what its columns are for, whether they can be learnt from, and how they become numbers.

dataset       the table, its training rows and test rows, as configured
preview       a table before it is used
roles         what each column is for
codes         whole numbers that are names
spellings     strings that are written in several ways
target        rows and classes to learn
expectations  what the user requires
profile       what is in each column
leaks         signs that a score will be too good
sentinels     numbers and dates that stand for "not known"
associations  columns that say the same
splitting     training rows, test rows and folds
terms         what columns become in the model's matrix
novelty       rows that are unlike those of training
"""
