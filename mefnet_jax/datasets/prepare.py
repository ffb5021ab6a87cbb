r"""Prepares the clips of a config and trains nothing.

python -m mefnet_jax.datasets.prepare --config=configs/mfcnn.py \
    --config.dataset.release=DIR [--cluster=tcp://10.0.0.1:8786]

A run with the same `config.dataset` then finds them in the cache. --cluster
names a Dask scheduler whose workers do the work; the clips are the same.
"""

from absl import flags
from ml_collections import config_flags

from mefnet_jax.runs import cli, config_flag, errors

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'A file of configs/, with its variant after a colon.'
)
_CLUSTER = flags.DEFINE_string(
  'cluster',
  '',
  "Dask scheduler, as --config.dataset.cluster; '': this machine.",
)


def main() -> None:
  """Prepares the clips and prints the findings."""
  from mefnet_jax import datasets  # takes its time: stays out of --help

  dataset = config_flag.read(_CONFIG, 'say what to prepare').dataset
  if _CLUSTER.value:
    dataset.cluster = _CLUSTER.value
  try:
    clips = datasets.load(dataset, memory=0)
  except errors.UserError as error:
    if getattr(error, 'findings', ()):
      print(datasets.listing(error.findings))
    raise
  print(datasets.listing(clips.findings))
  size = sum(stream.nbytes for stream in clips.streams.values()) / 2**20
  print(
    f'{len(clips.clip)} clips of {len(set(clips.subject))} subjects, '
    f'{", ".join(clips.streams)}: {size:.1f} MiB, {clips.fingerprint}'
  )


if __name__ == '__main__':
  cli.run(main)
