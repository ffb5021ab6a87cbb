"""Studies by whole runs of the package; see README.md."""

import mefnet_jax  # noqa: F401  `python -m` begins here, see `runs.early_errors`
