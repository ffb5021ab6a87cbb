"""A whole run of somebody's own folder is explained: its ids hold slashes."""

import csv
import shutil

import numpy as np
from absl import flags

from configs import base_cnn
from mefnet_jax.datasets import registry
from mefnet_jax.explain import __main__ as explain
from tests.fixtures import explained


def test_a_run_of_a_folder_is_explained(tiny_smic, tmp_path):
  root = tmp_path / 'own'
  for row in registry.read('smic', tiny_smic).rows:
    if row.subject == 's01':  # two people are enough, and three times faster
      continue
    label = ('negative', 'positive', 'surprise')[row.label]
    place = root / label / row.subject / f'{row.clip} v1.1, a'
    shutil.copytree(row.frames[0].parent, place)
  config = explained.tiny_config(root, base_cnn)
  config.dataset.name = 'folder'
  config.protocol.folds = 2
  (tmp_path / 'run').mkdir()
  workdir = explained.run(config, tmp_path / 'run')
  out = tmp_path / 'why'
  with (workdir / 'predictions.csv').open() as file:
    ids = [row['clip'] for row in csv.DictReader(file)]
  assert all('/' in name for name in ids)
  flags.FLAGS.unparse_flags()
  flags.FLAGS(
    [
      *('explain', f'--workdir={workdir}', f'--out={out}'),
      *('--clips=3', '--methods=gradient'),
    ]
  )
  try:
    explain.main()
  finally:
    for name in ('clips', 'methods'):
      flags.FLAGS[name].unparse()
  with np.load(out / 'saliency.npz') as file:
    shown = file['clip'].tolist()
    assert file['gradient/face'].shape == (3, 9, 16, 16)
    assert np.isfinite(file['gradient/face']).all()
  assert len(shown) == 3 and set(shown) <= set(ids)
  files = [p for p in (out / 'clips').rglob('*') if p.suffix == '.png']
  assert len(files) == 3
  assert all(p.parent == out / 'clips' for p in files)
