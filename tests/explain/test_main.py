"""The command that explains a run: honest folds, files, privacy, mistakes."""

import copy
import csv
import dataclasses
import shutil

import cv2
import jax
import ml_collections
import numpy as np
import pytest
from absl import flags

from mefnet_jax import models, saliency
from mefnet_jax.evaluation import folds_file
from mefnet_jax.explain import __main__ as explain
from mefnet_jax.explain import (
  face_regions,
  methods,
  pictures,
  privacy,
  runs,
  tables,
  truth,
)
from mefnet_jax.runs import errors
from tests.fixtures import forked


@pytest.fixture(scope='module')
def run(tiny_run):
  return runs.load(tiny_run)


@pytest.fixture(scope='module')
def faces(run):
  found = face_regions.find(run.config.dataset, run.clips.clip)
  return list(found.values())


# Of each kind one; tests/explain/test_methods.py tries all on another network,
# and test_folder_run.py has the gradient.
METHODS = ('grad_cam', 'regions', 'attention')


@pytest.fixture(scope='module')
def explained(run, tiny_run, tmp_path_factory):
  """What the command leaves of three clips; the run is not read again."""
  out = tmp_path_factory.mktemp('why') / 'out'
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(runs, 'load', lambda workdir: run)
    command(tiny_run, out, '--clips=3', f'--methods={",".join(METHODS)}')
  return out


def command(workdir, out, *more):
  """The command, in this process: its flags are parsed anew."""
  flags.FLAGS.unparse_flags()
  flags.FLAGS(['explain', f'--workdir={workdir}', f'--out={out}', *more])
  try:
    explain.main()
  finally:
    for name in ('clips', 'methods', 'target', 'layer', 'truth', 'show-faces'):
      flags.FLAGS[name].unparse()


def table(path):
  return list(csv.DictReader(path.read_text().splitlines()))


def test_each_clip_is_explained_by_the_fold_that_never_saw_it(run, tiny_run):
  table_of_folds = folds_file.read(tiny_run / 'folds.csv')
  assert run.folds == tuple(table_of_folds)
  for k, name in enumerate(run.folds):
    fold = table_of_folds[name]
    own = {run.clips.clip[i] for i in np.flatnonzero(run.held_out == k)}
    assert own == set(fold['test']) and not own & set(fold['train'])
  rows = table(tiny_run / 'predictions.csv')
  for row in rows:
    at = run.clips.clip.index(row['clip'])
    assert run.folds[run.held_out[at]] == row['fold']
    said = [float(row[f'prob_{name}']) for name in run.clips.classes]
    np.testing.assert_allclose(run.probabilities[at], said, atol=1e-4)


@pytest.mark.slow
def test_maps_are_of_those_weights_and_no_others(run):
  index = np.arange(4)
  target = run.clips.label[index]
  maps = methods.explain(run, index, target, ('gradient',))['gradient']
  for i in index:
    fold = run.held_out[i]
    f = jax.jit(lambda x, p: run.model.network.apply({'params': p}, x)[0])
    own = saliency.gradient(
      f, run.views([i]), target[[i]], args=(run.weights(fold),)
    )
    for stream, a in own.items():
      np.testing.assert_allclose(
        maps[stream][i], a[0, ..., 0], rtol=1e-3, atol=1e-6
      )


def test_the_command_leaves_arrays_tables_and_pictures(explained):
  names = {p.name for p in explained.iterdir()}
  assert names == {
    'NOTE.txt',
    'action_units.csv',
    'action_units.png',
    'channel_attention.png',
    'clips',
    'regions.csv',
    'regions.png',
    'saliency.npz',
  }
  assert 'SYNTHETIC' in (explained / 'NOTE.txt').read_text()
  with np.load(explained / 'saliency.npz') as file:
    clips = file['clip'].tolist()
    for method in METHODS:
      for stream in ('eyes', 'mouth'):
        assert file[f'{method}/{stream}'].shape == (3, 9, 12, 12)
        assert np.isfinite(file[f'{method}/{stream}']).all()
    assert file['out/eyes_channel_attention'].shape == (3, 4)
    assert len(set(file['label'].tolist())) == 3
  for clip in clips:
    for suffix in ('png', 'gif'):
      assert (explained / 'clips' / f'{clip}.{suffix}').stat().st_size > 1000
  picture = cv2.imread(str(explained / 'clips' / f'{clips[0]}.png'))
  assert picture.shape[0] > len(METHODS) * pictures.TILE


@pytest.mark.slow
def test_every_method_is_shown_by_default(tiny_run, tmp_path):
  command(tiny_run, tmp_path / 'out', '--clips=3')
  with np.load(tmp_path / 'out' / 'saliency.npz') as file:
    for method in methods.NAMES:
      for stream in ('eyes', 'mouth'):
        assert file[f'{method}/{stream}'].shape == (3, 9, 12, 12)
        assert np.isfinite(file[f'{method}/{stream}']).all()


def test_shares_of_the_regions_add_up(explained):
  rows = table(explained / 'regions.csv')
  assert {row['region'] for row in rows} == set(face_regions.REGIONS)
  for method in METHODS:
    own = [r for r in rows if r['method'] == method and r['class'] == 'all']
    if own:  # Grad-CAM may be empty
      assert abs(sum(float(r['share']) for r in own) - 1) < 1e-3
  units = table(explained / 'action_units.csv')
  assert {'action_unit', 'seen', 'share'} <= set(units[0])


def test_a_video_is_written_where_pyav_is(tmp_path):
  pytest.importorskip('av')
  frames = np.random.default_rng(0).integers(0, 255, (5, 64, 96, 3), np.uint8)
  assert pictures.save_mp4(tmp_path / 'a.mp4', frames)
  video = cv2.VideoCapture(str(tmp_path / 'a.mp4'))
  assert video.read()[1].shape == (64, 96, 3)


def test_hidden_faces_leave_no_pixel_in_the_picture(run, faces):
  """Another face with the same landmarks gives the very same background."""
  clip = run.clips.streams['face'][0]
  hidden, other = (
    pictures.backgrounds(c, faces[0], show=False) for c in (clip, 255 - clip)
  )
  np.testing.assert_array_equal(hidden, other)
  shown = pictures.backgrounds(clip, faces[0], show=True)
  assert np.abs(shown.astype(int) - hidden).mean() > 5


@pytest.mark.parametrize(
  ('flag', 'synthetic', 'expected'),
  [
    (None, True, True),
    (None, False, False),
    ('--show-faces', False, True),
    ('--noshow-faces', True, False),
  ],
)
def test_real_faces_are_shown_only_when_asked(
  run, tiny_run, tmp_path, monkeypatch, flag, synthetic, expected
):
  asked, drawn, given = [], pictures.backgrounds, []
  clips = dataclasses.replace(run.clips, synthetic=synthetic)
  pretended = dataclasses.replace(run, clips=clips)

  def watched(clip, face, *, show):
    asked.append(show)
    return drawn(clip, face, show=show)

  def explained(run, index, target, names, **_):
    given.append(names)
    ones = np.ones((len(index), 9, 12, 12), np.float32)
    return {'gradient': {'eyes': ones, 'mouth': ones}}

  monkeypatch.setattr(methods, 'explain', explained)
  monkeypatch.setattr(methods, 'attention', lambda *_: {})
  monkeypatch.setattr(runs, 'load', lambda workdir: pretended)
  monkeypatch.setattr(pictures, 'backgrounds', watched)
  monkeypatch.setattr(tables, 'draw', lambda *_: b'')  # shows no face
  command(tiny_run, tmp_path / 'out', '--clips=1', *([flag] if flag else []))
  assert asked == [expected]
  assert given == [methods.NAMES]  # all of them by default
  note = (tmp_path / 'out' / 'NOTE.txt').read_text()
  assert ('licence' in note) == (not synthetic and expected)
  assert ('outline' in note) == (not expected)


def test_what_shows_a_face_is_coarse_where_faces_are_hidden(run, tiny_run):
  """A map that is the face itself keeps its sum, and no more than 64 values."""
  config = ml_collections.ConfigDict(run.config)
  config.input = 'frames'
  seeing = dataclasses.replace(run, config=config)
  face = run.clips.streams['face'][:2, ..., 0].astype(np.float32)
  maps = {'integrated_gradients': {'face': face}}
  hidden = privacy.coarsen(maps, seeing, False)['integrated_gradients']['face']
  np.testing.assert_allclose(hidden.sum((2, 3)), face.sum((2, 3)), rtol=1e-4)
  assert max(len(np.unique(frame)) for frame in hidden[0]) <= privacy.CELLS**2
  assert np.abs(hidden - face).mean() > 1
  for other, show in ((seeing, True), (run, False)):
    assert privacy.coarsen(maps, other, show) is maps
  assert 'cells' in privacy.note(seeing, False)
  assert 'cells' not in privacy.note(run, False)


def test_a_leaky_run_says_so_upon_its_pictures(run, tiny_run, monkeypatch):
  leaky = dataclasses.replace(run, report_notices={'LEAKY': 'the same people'})
  assert explain._head(leaky, 0, 0)[:2] == ['SYNTHETIC', 'LEAKY']
  assert explain._kind(leaky) == 'SYNTHETIC | LEAKY'
  assert 'LEAKY: the same people.' in privacy.note(leaky, True)


@pytest.mark.slow
def test_sound_and_words_stand_beside_the_clips_that_are_explained(run):
  """Maps of a clip stream, the words held as they are in that clip."""
  names = ('eyes', 'audio', 'text')
  model = models.build(
    'mfcnn',
    num_classes=3,
    streams=names,
    filters=4,
    hidden=(8,),
    kernel=(5, 3, 3),
  )
  random = np.random.default_rng(0)
  views = {
    'eyes': run.views(np.arange(3))['eyes'],
    'audio': random.normal(size=(3, 16, 16, 1)).astype(np.float32),
    'text': random.integers(0, 9, (3, 6)),
    'text_present': np.array([1, 0, 1], np.float32),
  }
  params = jax.jit(model.init)(jax.random.key(0), views)['params']
  params['classes']['kernel'] += random.normal(
    size=params['classes']['kernel'].shape
  )
  config = ml_collections.ConfigDict(run.config)
  config.model.streams = names
  opened = copy.copy(run.model)
  object.__setattr__(opened, 'network', model)
  several = dataclasses.replace(
    run,
    config=config,
    model=opened,
    replaced=dict.fromkeys(range(len(run.folds)), params),
  )
  object.__setattr__(
    several,
    'views',
    lambda index: {n: a[np.asarray(index)] for n, a in views.items()},
  )
  target = np.array([0, 1, 2])
  wanted = ('gradient', 'integrated_gradients', 'grad_cam', 'attention')
  maps = methods.explain(several, np.arange(3), target, wanted)
  assert {name: set(m) for name, m in maps.items()} == dict.fromkeys(
    wanted, {'eyes'}
  )

  def f(eyes):
    return model.apply({'params': params}, {**views, 'eyes': eyes})[0]

  own = saliency.gradient(f, views['eyes'], target, rows=None)
  np.testing.assert_allclose(
    maps['gradient']['eyes'], own[..., 0], rtol=1e-3, atol=1e-6
  )


@pytest.mark.parametrize(
  ('more', 'word'),
  [
    (['--clips=s99_ne_01'], 's99_ne_01'),
    (['--methods=lime'], 'lime'),
    (['--layer=nothing', '--methods=grad_cam'], 'nothing'),
    (['--layer=features', '--methods=grad_cam'], 'eyes_pooled'),
    (['--layer=eyes_pooled', '--methods=gradient'], 'grad_cam'),
    (['--truth=/nowhere', '--clips=1', '--methods=gradient'], '/nowhere'),
  ],
)
def test_a_mistake_is_one_line_that_names_it(
  run, tiny_run, tmp_path, monkeypatch, more, word
):
  monkeypatch.setattr(runs, 'load', lambda workdir: run)
  with pytest.raises(errors.UserError, match=word):
    command(tiny_run, tmp_path / 'out', *more)
  assert not (tmp_path / 'out').exists()
  assert not list(tmp_path.glob('.*aside'))


def test_a_folder_that_holds_no_run_is_one_line(tmp_path):
  words = [f'--workdir={tmp_path}', f'--out={tmp_path / "out"}']
  done = forked.run('mefnet_jax.explain', words)
  assert done.returncode == 1
  assert done.stderr.startswith('error: ')
  assert len(done.stderr.strip().splitlines()) == 1
  assert 'config.json' in done.stderr


def test_an_unfinished_or_changed_run_is_refused(tiny_run, tmp_path):
  copy = tmp_path / 'run'
  shutil.copytree(tiny_run, copy)
  path = copy / 'predictions.csv'
  rows = table(path)
  names = [name for name in rows[0] if name.startswith('prob_')]
  for row in rows:
    said = [row[name] for name in names]
    row.update(zip(names, said[::-1], strict=True))
  with path.open('w', newline='') as file:
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
  with pytest.raises(errors.UserError, match='has changed'):
    runs.load(copy)
  (copy / 'model' / 'model.json').unlink()
  with pytest.raises(errors.UserError, match='no model, or only half'):
    runs.load(copy)


def test_regions_lie_where_the_landmarks_say(faces):
  face = faces[0]
  label = face.labels('face', 128)
  points = face.inside('face', 128)

  def at(point):
    x, y = np.clip(np.rint(point).astype(int), 0, 127)
    return face_regions.REGIONS[label[y, x]]

  assert at(points[36:42].mean(0)) == at(points[42:48].mean(0)) == 'eyes'
  assert at(points[19]) == at(points[24]) == 'brows'
  assert at(points[30]) == 'nose'
  assert at(points[60:68].mean(0)) == 'mouth'
  assert at((points[57] + 2 * points[8]) / 3) == 'chin'
  assert at((points[31] + points[3]) / 2) == 'cheeks'
  assert at([1, 1]) == 'elsewhere'


def test_a_crop_comes_to_its_own_place_in_the_face(faces):
  """A spot upon an eye of the eye crop lands upon that eye."""
  face = faces[0]
  x, y = face.inside('eyes', 48)[36:42].mean(0)
  spot = np.zeros((1, 48, 48), np.float32)
  cv2.circle(spot[0], (round(x), round(y)), 2, 1.0, -1)
  there = face.in_face(spot, 'eyes', 96)[0]
  rows, columns = np.nonzero(there > 0.5)
  eye = face.inside('face', 96)[36:42].mean(0)
  assert np.hypot(columns.mean() - eye[0], rows.mean() - eye[1]) < 3


def test_a_map_of_one_region_has_its_whole_share(faces):
  label = faces[0].labels('face', 32)
  maps = (label == face_regions.REGIONS.index('mouth')).astype(np.float32)
  share = tables.shares({'face': maps[None, None]}, faces[:1])
  assert share[0, face_regions.REGIONS.index('mouth')] == pytest.approx(1)


def test_the_true_motion_lies_where_its_units_are_seen(run, faces, tiny_smic):
  """Brow clips move the brows more, mouth clips the lower face."""
  where = truth.folder(tiny_smic)
  shares = []
  for clip, face in zip(run.clips.clip, faces, strict=True):
    known = truth.load(where, clip)
    assert 0 < known.apex < 1
    moving = known.moving(face, 64)
    assert 0.001 < moving.mean() < 0.5
    upper = moving[:26].sum() / moving.sum()
    brows = bool({1, 2, 4} & set(known.action_units))
    shares.append((brows, upper, known.blink))
  upper = [s for brows, s, blink in shares if brows and not blink]
  lower = [s for brows, s, blink in shares if not brows and not blink]
  assert np.mean(upper) > np.mean(lower)


def test_names_of_a_folder_run_are_flat_files(run, tmp_path, monkeypatch):
  """Its clip ids hold slashes: the files of the maps are flat all the same."""
  ids = tuple(f'class/s{i}/{name}' for i, name in enumerate(run.clips.clip))
  clips = dataclasses.replace(run.clips, clip=ids)
  renamed = dataclasses.replace(run, clips=clips)
  index = np.array([0, 4])
  known = face_regions.find(
    run.config.dataset, tuple(run.clips.clip[i] for i in index)
  )
  maps = {
    'gradient': {'eyes': np.ones((2, 9, 12, 12), np.float32)},
  }
  explain._write_pictures(
    tmp_path,
    renamed,
    index,
    run.clips.label[index],
    maps,
    list(known.values()),
    True,
  )
  written = {p.stem for p in (tmp_path / 'clips').iterdir()}
  assert written == {f'class_s{i}_{run.clips.clip[i]}' for i in index}
  assert all(p.is_file() for p in (tmp_path / 'clips').iterdir())


def test_what_the_truth_lacks_shows_before_the_work(
  run, tiny_run, tmp_path, monkeypatch
):
  def explained(*args, **kwargs):
    pytest.fail('worked first')

  monkeypatch.setattr(methods, 'explain', explained)
  (tmp_path / 'empty').mkdir()
  with pytest.raises(errors.UserError, match='truth'):
    command(tiny_run, tmp_path / 'out', f'--truth={tmp_path / "empty"}')
  assert not (tmp_path / 'out').exists()
