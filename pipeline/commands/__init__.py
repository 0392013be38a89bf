"""The commands beside the stages, one file each: `python -m pipeline <command>`."""
