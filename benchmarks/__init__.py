"""Measurements side by side with other frameworks; see README.md."""
