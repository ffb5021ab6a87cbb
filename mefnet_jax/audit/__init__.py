"""Finds leaks in a run of this package or of any other program.

`checks` lists the kinds of leak; `audit.find` runs the check of each kind.
"""
