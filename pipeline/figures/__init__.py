"""Every picture: plain data in, a figure out.

drawing      what all share: size, colours, legends, names; saving
data         of the data before a model
learnt       of what a model learnt
performance  of how good it is
sweeps       of sweeps
svg          those of pages: text and lines, without matplotlib
"""
