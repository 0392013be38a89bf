"""What is on disk.

paths    the files of stages: their names, and how they are replaced
stored   tables on disk
formats  numbers rounded; CSV, JSON, text
edits    files that are edited while a stage runs
"""
