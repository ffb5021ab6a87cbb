"""What a finished run leaves for people: report.json, page, figures, cards.

`write.write` makes all of it; `compare` sets runs side by side.
"""
