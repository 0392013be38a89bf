"""The commands beside the stages, one file each: `python -m pipeline <command>`.

The docstring of a file is the `--help` of its command; `main` runs it, with the arguments that `arguments` declares.
"""
