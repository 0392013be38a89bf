"""From rows to a model as configured.

fit               one model
learnt            what it learnt, as tables
intervals         how certain its weights are
cross_validation  the scores of many combinations on rows that they were not trained on
selection         what `auto` stands for
decision          from which probability on a row is decided to be positive
choice            which combination of a sweep
sweep             the files and pictures of a sweep, and the command that adopts its winner
"""
