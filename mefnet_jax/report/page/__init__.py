"""report.html: one page that needs no network.

`build.page` makes it of report.json; the other modules make its parts.
"""
