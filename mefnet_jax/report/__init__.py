"""The report of a finished run: report.json, HTML page, figures and cards.

`write.write` writes all of them; `compare` compares several runs.
"""
