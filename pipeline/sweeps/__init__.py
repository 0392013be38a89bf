"""Sweeps: many combinations of lambda and learning rate, compared on rows that they were not trained on.

cross_validation  the scores of a grid of combinations, all trained together
choice            which of them: the best, the one-standard-error rule
results           the files and pictures of a sweep, and the command that adopts its winner
multirun          sweeps over anything, in Hydra's grammar
queue             every combination as a full DVC experiment
"""
