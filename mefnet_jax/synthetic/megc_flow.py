"""The layout of the MEGC2019 composite: flow maps of synthetic heads.

The numbers of subjects and classes are the published ones. A map holds the
exact flow of a head's surface from onset to apex, in a crop from brow to chin
as the public maps have it (`framing`), on 28 x 28 pixels, with head motion and
estimation noise, and its strain. Each channel is scaled to 0..255 separately,
as in the public files. No image is rendered.
"""

import dataclasses
import functools
import pathlib

import cv2
import numpy as np

from mefnet_jax.runs import errors
from mefnet_jax.synthetic import camera as cameras
from mefnet_jax.synthetic import emotions, framing, raster, smic, studio
from mefnet_jax.synthetic import head as heads

FORMS = ('whole', 'loso')
CLASSES = smic.CLASSES
TABLE = 'combined_3_class2_for_optical_flow.csv'
SIDE = 28
NOISE = 0.05  # of the flow, pixels of the crop, before it is smoothed
_BEYOND = 6  # pixels beside the head in which the flow becomes smooth
_NOT_SPACED = 0.05  # share of file names without a space before the dot
# Numbers of subjects and of clips of each class; their assignment is random.
_OTHERS = {'casme2': (24, (88, 32, 25)), 'samm': (28, (92, 26, 15))}
_NAMES = {'smic': 's{:02d}', 'casme2': 'sub{:02d}', 'samm': '{:03d}'}
# How each database frames its faces.
CROPS = {
  name: framing.CONVENTIONS[convention]
  for name, convention in (
    ('smic', 'megc2019_casme2'),
    ('casme2', 'megc2019_casme2'),
    ('samm', 'megc2019_samm'),
  )
}


@dataclasses.dataclass(frozen=True)
class Map(studio.Shot):
  """One map and the files to which it is written.

  `pattern` is the end of the file name, usually with a stray space.
  """

  database: str = ''
  person: str = ''
  files: tuple[str, ...] = ()


def plan(
  seed: int,
  *,
  clips: int | None = None,
  subjects: int | None = None,
  form: str = 'whole',
) -> studio.Plan:
  """Plans the maps of a release.

  Args:
    seed: the seed of all random choices.
    clips, subjects: maximum number of clips per subject, and of subjects, who
      are taken from the databases in turn.
    form: 'whole' (one folder and a table) or 'loso' (one copy per subject).

  Raises:
    errors.UserError: the form is unknown.
  """
  if form not in FORMS:
    raise errors.UserError(
      f'--form={form}: the flow maps come in the forms {", ".join(FORMS)}'
    )
  rng = np.random.default_rng([seed, *b'megc_flow plan'])
  maps = [_map(seed, *one, rng) for one in _clips(rng)]
  maps.sort(key=lambda m: m.subject % 100)  # a few subjects of each database
  maps = studio.limited(maps, clips, subjects)
  maps.sort(key=lambda m: m.name)
  people = list(dict.fromkeys(m.person for m in maps))
  maps = [dataclasses.replace(m, files=_files(m, people, form)) for m in maps]
  finish = functools.partial(_finish, maps=maps, form=form)
  return studio.Plan(maps, finish=finish, film=film)


def film(shot: Map, root: pathlib.Path, truth: pathlib.Path, seed: int) -> None:
  """Writes one map below `root`, and its unscaled values below `truth`.

  Args:
    shot: the map.
    root, truth: the folders of the release and of its truth.
    seed: the seed of the release.

  Raises:
    OSError: a file cannot be written.
  """
  flow, strain = _exact(shot, seed)
  rng = studio.generator(seed, shot, 'estimator')
  noise = NOISE * rng.standard_normal(flow.shape).astype(np.float32)
  seen = flow + cv2.GaussianBlur(noise, (0, 0), 1.0)
  both = np.concatenate([seen, _strain(seen)[..., None]], axis=-1)
  low, high = both.min((0, 1)), both.max((0, 1))
  # As in the public files; it loses sign and size of the motion.
  levels = 255 * (both - low) / np.maximum(high - low, 1e-6)
  for file in shot.files:
    studio.write(root / file, np.rint(levels).astype(np.uint8))
  np.savez_compressed(
    truth / f'{shot.name}.npz',
    clip=shot.name,
    subject=shot.person,
    emotion=shot.emotion,
    flow=flow,
    strain=strain,
  )


def _clips(rng):
  """(database, person's number, class, number of the clip) of all clips."""
  clips = []
  counts = {'smic': smic.COUNTS}
  for database, (people, classes) in _OTHERS.items():
    counts[database] = {n + 1: [0, 0, 0] for n in range(people)}
    for kind, total in enumerate(classes):
      for k in range(total):
        # The first clips go to one person each, so that each has at least one.
        who = k if kind == 0 and k < people else int(rng.integers(people))
        counts[database][who + 1][kind] += 1
  for database, people in counts.items():
    for person, classes in people.items():
      for kind, count in enumerate(classes):
        clips += [(database, person, kind, k + 1) for k in range(count)]
  return clips


def _map(seed, database, person, kind, k, rng):
  """One map, named as its database names its clips."""
  who = _NAMES[database].format(person)
  short = smic.SHORT[CLASSES[kind]]
  own = {
    'smic': f's{person}_{short}_{k:02d}',
    'casme2': f'EP{person:02d}_{short}{k:02d}f',
    'samm': f'{person:03d}_{kind + 1}_{k}',
  }[database]
  length = int(rng.integers(12, 40))
  subject = 100 * (1 + list(_NAMES).index(database)) + person
  return Map(
    dataset=f'megc_flow_{database}',
    subject=subject,
    name=f'{who}_{own}',
    emotion=CLASSES[kind],
    macro=False,
    fps=100,
    numbers=tuple(range(1, length + 1)),
    camera=_crop(seed, database, subject)[0],
    folder='',
    pattern=' .png' if rng.random() > _NOT_SPACED else '.png',
    database=database,
    person=who,
  )


def _files(shot, people, form):
  """The files of a map: one, or one copy in the fold of each subject."""
  name = f'{shot.name}{shot.pattern}'
  if form == 'whole':
    return (f'STSNet_whole_norm_u_v_os/{name}',)
  kind = CLASSES.index(shot.emotion)
  side = {True: 'u_test', False: 'u_train'}
  return tuple(
    f'three_norm_u_v_os/{who}/{side[who == shot.person]}/{kind}/{name}'
    for who in people
  )


def _crop(seed, database, subject):
  """One person's crop, and the pose in which the head begins."""
  rng = np.random.default_rng([seed, *f'megc_flow crop {subject}'.encode()])
  crop = CROPS[database]
  pose = np.zeros(5)
  pose[:3] = rng.normal(0, crop.pose)
  return crop.camera(np.zeros((0, 3)), rng), pose


def _exact(shot, seed):
  """Flow (S, S, 2) from onset to apex in pixels of the crop, and its strain."""
  played = studio.perform(shot, seed)
  units = emotions.face_units(played)
  points = studio.identity_of(seed, shot.dataset, shot.subject).points
  _, pose = _crop(seed, shot.database, shot.subject)
  ends = [
    cameras.surface(
      points,
      {name: w[t] for name, w in units.items()},
      pose + played.pose[t],
      shot.camera,
    )
    for t in (0, played.apex)
  ]
  flow = _flow(*ends, shot.camera).astype(np.float32)
  flow = cv2.resize(flow, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
  return flow, _strain(flow)


def _flow(before, after, camera):
  """Flow (rows, columns, 2) between two surfaces, in pixels.

  Beside the head the flow of the nearest skin continues, smoothed, as in the
  output of flow estimators: nothing on a plain wall contradicts it.
  """
  triangles, at = heads.load().triangles, camera.project(before)
  ids, weights = raster.draw(at, before[:, 2], triangles, camera.size)
  source, gap = raster.nearest(ids)
  moved = (camera.project(after) - at)[triangles[ids.ravel()[source]]]
  flow = (moved * weights.reshape(-1, 3, 1)[source]).sum(axis=1)
  flow = flow.reshape(*camera.size, 2)
  smooth = cv2.GaussianBlur(flow, (0, 0), _BEYOND)
  return flow + np.clip(gap / _BEYOND, 0, 1)[..., None] * (smooth - flow)


def _strain(flow):
  """Optical strain, the length of the flow's symmetric gradient."""
  down, across = np.gradient(flow, axis=(0, 1))
  shear = (across[..., 1] + down[..., 0]) / 2
  return np.sqrt(across[..., 0] ** 2 + down[..., 1] ** 2 + 2 * shear**2)


def _finish(root, truth, maps, form):
  """Writes the table, which only the form 'whole' has."""
  if form != 'whole':
    return
  lines = [',dataset,sub,filename_o,label,apex,imagename']
  for number, shot in enumerate(maps):
    own = shot.name.removeprefix(f'{shot.person}_')
    kind = CLASSES.index(shot.emotion)
    lines.append(
      f'{number},{shot.database},{shot.person},{own},{kind},'
      f'{shot.numbers[len(shot.numbers) // 2]},{shot.name}.png'
    )
  (root / TABLE).write_text('\n'.join(lines) + '\n')
