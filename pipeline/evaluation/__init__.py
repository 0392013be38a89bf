"""The trained model on rows that it was not trained on.

result      the model beside what it is compared with
tables      that as tables, text and pictures
references  what it is compared with: the prior, a black box
checks      warnings
thresholds  from which probability on a row is decided to be positive
drift       how later rows differ
report      one page on the result
"""
