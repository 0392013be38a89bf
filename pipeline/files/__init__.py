"""What is on disk.

paths    the files of stages: their names, and how they are replaced
stored   tables on disk
formats  numbers rounded; CSV, JSON, text
edits    files that are edited while a stage runs
code     the files that a stage imports, and their digests
kept     what was computed from files, kept until they change
"""
