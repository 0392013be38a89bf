"""The trained model on rows that it was not trained on.

result      the model beside what it is compared with
tables      that as tables, text and pictures
references  what it is compared with: the prior, a black box
checks      warnings
thresholds  from which probability on a row is decided to be positive
drift       how later rows differ
verdict     what a result is worth, in a few sentences
columns     what the model does with each column, and with single rows
page        sections as data
good        the section on how good the model is
learnt      the section on what it learnt
report      one page on the result, and the same as a model card
"""
