"""Exact, fast forms of the operators the networks are made of."""
