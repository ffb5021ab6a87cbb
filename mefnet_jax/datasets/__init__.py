"""Loads data sets: from the folder of a release to clips in memory.

    clips = datasets.load(config.dataset)
    print(datasets.listing(clips.findings))

Defects of a release are repaired or reported (`findings`). Imports no jax.
"""

from mefnet_jax.runs.findings import Finding, listing
from mefnet_jax.runs.findings import write as write_findings

__all__ = [
  'Clips',
  'Finding',
  'listing',
  'load',
  'options',
  'preprocessing',
  'preview',
  'register',
  'shapes',
  'stored_stream',
  'write_findings',
]

_OF_A_CONFIG = (
  'is_maps',
  'options',
  'preprocessing',
  'preview',
  'release',
  'shapes',
  'stored_stream',
)


def __getattr__(name):
  # Processes of the preparation import this package but never TFDS.
  if name in _OF_A_CONFIG:
    from mefnet_jax.datasets import from_config

    return getattr(from_config, name)
  if name == 'register':
    from mefnet_jax.datasets import custom

    return custom.register
  if name == 'load':
    from mefnet_jax.datasets import loading

    return loading.load
  if name == 'Clips':
    from mefnet_jax.datasets import prepared_clips

    return prepared_clips.Clips
  raise AttributeError(name)
