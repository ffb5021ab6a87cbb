"""Finds leaks in a run, ours or anybody else's.

`checks` lists the kinds of leak; `audit.find` looks for each of them.
"""
