"""From a release folder to clips in memory, whatever is amiss in the folder.

    clips = datasets.load(config.dataset)
    console.print(datasets.table(clips.findings))

Imports no jax.
"""

from mefnet_jax.findings import Finding, table
from mefnet_jax.findings import write as write_findings

__all__ = [
  'Clips',
  'Finding',
  'load',
  'preview',
  'shapes',
  'table',
  'write_findings',
]


def __getattr__(name):
  # Processes of the preparation import this package but never TFDS.
  if name in ('preview', 'shapes'):
    from mefnet_jax.datasets import wanted

    return getattr(wanted, name)
  if name in ('Clips', 'load'):
    from mefnet_jax.datasets import loading

    return getattr(loading, name)
  raise AttributeError(name)
