"""A frame to a matrix: what its columns are for, whether they can be learnt from, and how they become numbers.

roles         what each column is for          leaks         signs that a score will be too good
target        rows and classes to learn        splitting     training rows, test rows and folds
expectations  what the user requires           features      raw columns to the model's matrix
profile       what is in each column
"""
