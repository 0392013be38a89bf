"""Tables in and out, and what a usable table is.

options     how a file is to be read         roles         what each column is for
reading     a file to a frame                target        which classes there are
  decoding    bytes to text                  splitting     training and test rows
  delimited   text to columns                features      raw columns to the model's matrix
  cells       columns to types               profile       what is in each column
storage     Parquet between stages           expectations  what a person said there would be
                                             leaks         signs that a score will be too good
"""
