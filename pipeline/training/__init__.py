"""From rows to a model as configured.

fit               one model
learnt            what it learnt, as tables
intervals         how certain its weights are
cross_validation  models fitted on folds, each judged on the rows that it was not trained on
selection         what `auto` stands for
pair_search       how many pairs, and how strongly penalised
smoothness        how smooth each curve and each pair is
decision          from which probability on a row is decided to be positive
choice            which combination of a sweep
sweep             the scores of a grid of combinations, its files and pictures, the command that adopts its winner
"""
