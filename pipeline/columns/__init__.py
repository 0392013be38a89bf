"""A frame to a matrix: what its columns are for, whether they can be learnt from, and how they become numbers.

roles         what each column is for          leaks         signs that a score will be too good
target        rows and classes to learn        sentinels     numbers and dates that stand for "not known"
expectations  what the user requires           associations  columns that say the same
profile       what is in each column           splitting     training rows, test rows and folds
features      raw columns to the model's matrix    novelty    rows that are unlike those of training
"""
