"""Tables in and out, and what a usable table is.

options       how a file is to be read         roles         what each column is for
reading       a file to a frame                target        rows and classes that can be learnt
  decoding      bytes to text                  expectations  what a person said there would be
  delimited     text to columns                profile       what is in each column
  cells, dates  columns to types               leaks         signs that a score will be too good
storage       Parquet between stages           splitting     training and test rows
                                               features      raw columns to the model's matrix
"""

from pipeline.tables.storage import features_and_target, load, save

__all__ = ["features_and_target", "load", "save"]
