"""Measurements side by side with other frameworks; see README.md."""

import mefnet_jax  # noqa: F401  `python -m` begins here, see `runs.early_errors`
