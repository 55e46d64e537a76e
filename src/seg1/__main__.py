"""The command line: ``python -m seg1 demo``."""
