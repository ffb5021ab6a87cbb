"""Finds leaks in a run, our own or somebody else's.

`checks` lists the kinds of leak; `audit.find` runs the check of each kind.
"""
