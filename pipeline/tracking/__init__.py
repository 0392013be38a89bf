"""Finished results into MLflow: the one package that imports it.

records   what is logged: the files of the stages, read back
log       each record that the store does not have yet
stores    where runs are stored, and what is there already
moved     the artifacts of a repository that was moved
models    a model and its data sets
runs      a model's run
sweeps    a sweep's run, with one child run per combination
shipping  the code and the requirements that are stored with a model
serving   the model as MLflow loads and serves it
server    MLflow's server of the champion, a program of its own
registry  models by name
named     the model that a command is given by name
promotion  the champion, and who may replace it
pages     the addresses of the runs, and MLflow's pages
live      the cost while a model is trained
experiments  the experiments of DVC, as a table

A run is found by a tag with the digest of what it records, so the same result is never logged twice, whoever made it:
`dvc repro`, an experiment in a copy of the repository, or another machine on the same server. Its status FINISHED is
the last thing that it gets. A run that was interrupted has another one, and is logged again; so is what was deleted.
Where two machines log the same result at the same time, both delete the later run when they are done.
"""
