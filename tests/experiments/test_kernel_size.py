"""The study of kernel sizes: its grid, its counting, and that it resumes."""

import argparse
import threading

import numpy as np
import pytest

from configs import base, mecnn
from experiments import kernel_figures, kernel_margins, kernel_size, running
from mefnet_jax.evaluation import metrics, paired_tests
from mefnet_jax.runs import errors


def arguments(*flags):
  return kernel_size.arguments(['--out=/nowhere', *flags])


def test_the_full_grid_is_the_one_of_the_study():
  cells = kernel_size.grid(arguments())
  assert len(cells) == 2 * 2 * 2 * 4 * 7  # all fit in 18 and in 32 frames
  assert len({cell.name for cell in cells}) == len(cells)
  assert kernel_size.grid(arguments('--frames=9', '--temporal=7,9')) == [
    cell for cell in kernel_size.grid(arguments('--frames=9', '--temporal=7'))
  ]


def test_small_is_small_and_can_be_changed():
  small = arguments('--small')
  assert len(kernel_size.grid(small)) <= 24
  assert small.epochs < 10
  for flags in (('--small', '--epochs=2'), ('--epochs=2', '--small')):
    assert arguments(*flags).epochs == 2


def test_a_leaky_protocol_is_refused():
  with pytest.raises(errors.UserError, match='leaky'):
    kernel_size.study(arguments('--protocol=kfold_clips'), threading.Event())


def test_a_grid_without_cells_is_refused():
  args = arguments('--frames=9', '--temporal=15')
  with pytest.raises(errors.UserError, match='--temporal'):
    kernel_size.study(args, threading.Event())


def test_operations_by_hand():
  config = mecnn.get_config()
  config.model.update(channel_attention=False, spatial_attention=False)
  convolution = (2 * 15 * 9 + 1) * 32 * 4 * 62 * 62
  dense = 2 * (20 * 20 * 32 * 128 + 128 * 3) + 128 + 3
  assert kernel_size.operations(config) == convolution + dense


def test_each_cell_has_its_own_kernel():
  args = arguments('--small')
  for cell in kernel_size.grid(args):
    if cell.convolution == '3d' or 'conv' in base.get_config().model:
      config = kernel_size.config_of(cell, args)
      assert config.model.kernel == (cell.temporal, cell.spatial, cell.spatial)
      assert config.dataset.frames == cell.frames
      assert config.model.attention_place == 'pool'


def test_the_front_holds_what_nothing_beats():
  rows = [
    {'flops': f, 'uar': u}
    for f, u in ((1, 0.4), (2, 0.3), (2, 0.5), (3, 0.5), (4, 0.9))
  ]
  best = [
    (r['flops'], r['uar']) for r in kernel_figures.pareto_front(rows, 'flops')
  ]
  assert best == [(1, 0.4), (2, 0.5), (4, 0.9)]


@pytest.mark.slow  # the notebook of kernel sizes runs a study too
def test_a_study_runs_and_resumes(tiny_smic, tmp_path, monkeypatch):
  flags = ('--small', '--epochs=1', '--filters=2', '--models=mfcnn')
  flags += ('--convolutions=3d', '--spatial=1', f'--release={tiny_smic}')
  args = arguments(*flags, '--temporal=5,15')
  args = argparse.Namespace(**{**vars(args), 'out': tmp_path})
  runs = []
  run = running.protocol.run

  def counted(*a, **k):
    runs.append(1)
    return run(*a, **k)

  make = kernel_size.config_of

  def tiny(cell, args):
    config = make(cell, args)
    config.dataset.update(face=16, eyes=12, mouth=12)
    return config

  monkeypatch.setattr(kernel_size, 'config_of', tiny)
  monkeypatch.setattr(running.protocol, 'run', counted)
  first = kernel_size.study(args, threading.Event())
  assert len(runs) == 2
  assert kernel_size.study(args, threading.Event()) == first
  assert len(runs) == 2
  assert first[0]['flops'] != first[1]['flops']
  for name in ('kernel_size.csv', 'heat_map.png', 'pareto.png'):
    assert (tmp_path / name).stat().st_size > 0
  text = (tmp_path / 'kernel_size.md').read_text()
  assert 'SYNTHETIC' in text
  assert '5x1x1' in text and '15x1x1' in text


def test_networks_stand_side_by_side_in_the_table_of_uar():
  rows = [
    {
      'model': model,
      'convolution': '3d',
      'frames': 18,
      'spatial': 3,
      'temporal': temporal,
      'uar': 0.5,
      'uar_low': None,
      'uar_high': None,
    }
    for model, temporal in (('mecnn', 5), ('mecnn', 9), ('mfcnn', 9))
  ]
  assert kernel_figures.uar_table(rows).splitlines() == [
    '| kernel | MECNN 3D, T = 18 | MFCNN 3D, T = 18 |',
    '|---|---|---|',
    '| 5x3x3 | 0.500 |  |',
    '| 9x3x3 | 0.500 | 0.500 |',
  ]


def test_margins_find_the_factor_that_matters():
  """3x3 is right on everybody, 1x1 on nobody; length changes nothing."""
  rows = [
    {
      'model': 'mecnn',
      'convolution': '3d',
      'frames': 18,
      'spatial': spatial,
      'temporal': temporal,
    }
    for spatial in (1, 3)
    for temporal in (5, 15)
  ]
  right = np.tile(np.eye(2, dtype=int), (8, 1, 1))  # 8 people, 2 clips each
  counts = [right[:, ::-1] if row['spatial'] == 1 else right for row in rows]
  found = {x['factor']: x for x in kernel_margins.margins(rows, counts)}
  assert set(found) == {'spatial', 'temporal'}
  spatial, temporal = found['spatial'], found['temporal']
  assert (spatial['value'], spatial['against'], spatial['pairs']) == (1, 3, 2)
  assert spatial['difference'] == -1 and spatial['interval'] == [-1, -1]
  assert spatial['p'] < 0.05
  assert temporal['difference'] == 0 and temporal['p'] == 1
  assert '| mecnn, T = 18 | spatial | 1 | 3 | 2 |' in kernel_margins.table(
    list(found.values())
  )


def test_margins_of_one_pair_are_the_comparison_of_two_runs():
  random = np.random.default_rng(3)
  label_SN = np.tile([0, 1, 2], (7, 4))
  said_2SN = random.integers(0, 3, (2, 7, 12))
  one, other = (
    np.stack(
      [
        metrics.confusion(a, b, 3)
        for a, b in zip(label_SN, said_SN, strict=True)
      ]
    )
    for said_SN in said_2SN
  )
  keys = ('model', 'convolution', 'frames', 'spatial')
  same = dict(zip(keys, ('mfcnn', '3d', 18, 3), strict=True))
  rows = [{**same, 'temporal': 15}, {**same, 'temporal': 9}]
  (found,) = kernel_margins.margins(rows, [one, other])
  pooled = [metrics.from_confusion(x.sum(0))['uar'] for x in (one, other)]
  assert found['difference'] == pytest.approx(pooled[1] - pooled[0])
  bounds = paired_tests._intervals(np.stack([one, other]), 0)['uar']
  assert found['interval'] == pytest.approx(bounds)
