r"""Explains held-out clips by saliency, each with the fold that held it out.

python -m mefnet_jax.explain --workdir=runs/mfcnn --out=why/mfcnn
python -m mefnet_jax.explain --workdir=runs/mfcnn --out=why/two \
    --clips=s01_ne_01,s03_po_12 --methods=integrated_gradients,grad_cam
"""

import pathlib

import numpy as np
from absl import flags

from mefnet_jax.runs import cli, errors, files, outputs, plugins

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of a finished run.')
_OUT = outputs.DEFINE_folder('out', None, 'A new folder for the results.')
_NAMES = flags.DEFINE_string(
  'clips', '12', 'Names of clips separated by commas, a number, or all.'
)
_METHODS = flags.DEFINE_list(
  'methods',
  None,
  'Any of gradient, gradient_x_input, smooth_grad, integrated_gradients, '
  'grad_cam, occlusion, regions and attention; all by default.',
)
_TARGET = flags.DEFINE_enum(
  'target',
  'predicted',
  ['predicted', 'label'],
  'The class whose score is explained.',
)
_LAYER = flags.DEFINE_string(
  'layer', '', 'For Grad-CAM: a layer that the network names in `out`.'
)
_TRUTH = flags.DEFINE_string(
  'truth', None, 'Ground truth of a synthetic release; by default beside it.'
)
_PLUGIN = plugins.DEFINE_files('plugin')
_FACES = flags.DEFINE_bool(
  'show-faces',
  None,
  'Draw the maps over the faces. Synthetic faces are shown by default; real '
  'ones only in outline, because their licences restrict what may be shown: '
  'read yours before you share anything made with this flag.',
)


def main() -> None:
  """Explains the clips that the flags name; writes the folder atomically.

  Raises:
    errors.UserError: a flag is missing or wrong, the folder is not new or
      cannot be written, or as `runs.load`.
  """
  for flag, value in (('workdir', _WORKDIR.value), ('out', _OUT.value)):
    if not value:
      raise errors.UserError(f'--{flag} is missing: see --help')
  out = pathlib.Path(_OUT.value)
  # The maps of two commands in one folder could not be distinguished.
  if out.exists() and (not out.is_dir() or any(out.iterdir())):
    raise errors.UserError(f'--out={out} is not empty: name a new folder')
  # Imported after the flags are checked: jax takes a second to start.
  from mefnet_jax.runs import xla

  xla.prepare()
  plugins.load(_PLUGIN.value)
  with files.aside(out) as aside:
    try:
      aside.mkdir(parents=True)
    except OSError as error:
      raise errors.UserError(
        f'--out={out}: cannot be written ({error.strerror}): name another '
        'folder'
      ) from error
    explain(pathlib.Path(_WORKDIR.value), aside)
  print(f'written: {out}')


def explain(workdir: pathlib.Path, out: pathlib.Path) -> None:
  """Writes the maps, pictures and tables that the flags ask for.

  Args:
    workdir: folder of a finished run.
    out: an empty folder.

  Raises:
    errors.UserError: a flag is wrong, or as `runs.load`.
  """
  from mefnet_jax.explain import face_regions, methods, privacy, runs

  names = tuple(_METHODS.value or methods.NAMES)
  methods.check(names)
  if _LAYER.value and 'grad_cam' not in names:
    raise errors.UserError(
      f'--layer={_LAYER.value} is used by grad_cam: add it to --methods'
    )
  run = runs.load(workdir)
  index = runs.choose_clips(run, _NAMES.value)
  target = (
    run.clips.label[index]
    if _TARGET.value == 'label'
    else run.probabilities[index].argmax(1)
  )
  # A truth that is missing ends the command here, not after minutes of work.
  truths = _truths(run, index)
  found = face_regions.find(
    run.config.dataset, tuple(run.clips.clip[i] for i in index)
  )
  faces = list(found.values())
  maps = methods.explain(
    run, index, target, names, layer=_LAYER.value, faces=faces
  )
  # None, not False, by default: an explicit --noshow-faces hides synthetic
  # faces.
  show = run.synthetic if _FACES.value is None else _FACES.value
  note = privacy.note(run, show) + _escapes(run, index)
  print(note)
  files.write(out / 'NOTE.txt', note + '\n')
  attention = methods.attention(run, index) if 'attention' in names else {}
  _write_attention(out, run, target, attention)
  # Tables hold shares of regions, which show nobody; the rest shows pixels.
  _write_tables(out, run, index, target, maps, faces, truths)
  shown = privacy.coarsen({**maps, 'out': attention}, run, show)
  _write_arrays(out, run, index, target, shown, faces)
  del shown['out']
  _write_pictures(out, run, index, target, shown, faces, show)


def _write_arrays(out, run, index, target, maps, faces):
  """Writes saliency.npz: the maps by method and stream, and their clips."""
  arrays = {
    f'{method}/{stream}': a
    for method, streams in maps.items()
    for stream, a in streams.items()
  }
  size = run.config.dataset.face
  np.savez_compressed(
    out / 'saliency.npz',
    clip=np.array([run.clips.clip[i] for i in index]),
    fold=np.array([run.folds[k] for k in run.held_out[index]]),
    classes=np.array(run.clips.classes),
    label=run.clips.label[index],
    predicted=run.probabilities[index].argmax(1),
    probabilities=run.probabilities[index],
    target=target,
    landmarks_in_face=np.stack([f.inside('face', size) for f in faces]),
    **arrays,
  )


def _write_tables(out, run, index, target, maps, faces, truths):
  from mefnet_jax.explain import tables

  groups, kind = _groups(run, target), _kind(run)
  title = f'{kind} | {len(index)} held-out clips | class explained: '
  title += _TARGET.value
  rows = tables.by_class(maps, faces, groups)
  files.write(out / 'regions.csv', tables.to_csv(rows))
  files.write(out / 'regions.png', tables.draw(rows, 'class', title))
  if truths:
    rows = tables.by_action_unit(maps, faces, truths)
    files.write(out / 'action_units.csv', tables.to_csv(rows))
    title = f'{kind} | action units truly shown | share over area'
    picture = tables.draw(rows, 'action_unit', title)
    files.write(out / 'action_units.png', picture)


def _write_attention(out, run, target, attention):
  """Draws the channel weights by class, if the network has any."""
  from mefnet_jax.explain import tables

  weights = {name: a for name, a in attention.items() if a.ndim == 2}
  if weights:
    title = f'{_kind(run)} | channel attention, mean over {len(target)} clips'
    picture = tables.draw_channels(weights, _groups(run, target), title)
    files.write(out / 'channel_attention.png', picture)


def _groups(run, target):
  """Positions of the clips by the class that is explained."""
  return {
    name: np.flatnonzero(target == c)
    for c, name in enumerate(run.clips.classes)
  }


def _kind(run):
  """The first words of titles: the notices, or the name of the data set."""
  return ' | '.join(run.notices or [run.config.dataset.name])


def _truths(run, index):
  """The ground truth of each clip; [] if there is none."""
  from mefnet_jax.explain import truth

  where = _truth(run)
  if not where:
    return []
  return [truth.load(where, run.clips.clip[i]) for i in index]


def _escapes(run, index):
  """A remark if names have characters that the pictures cannot show."""
  names = [*run.clips.classes, *(run.clips.clip[i] for i in index)]
  if all(name.isascii() for name in names):
    return ''
  return '\nIn pictures of clips other characters than ASCII are escapes.'


def _truth(run):
  """The folder of the ground truth, if there is one."""
  from mefnet_jax import datasets
  from mefnet_jax.explain import truth

  if _TRUTH.value:
    if not pathlib.Path(_TRUTH.value).is_dir():
      raise errors.UserError(f'--truth={_TRUTH.value}: no such folder')
    return pathlib.Path(_TRUTH.value)
  if not run.synthetic:
    return None
  return truth.folder(datasets.release(run.config.dataset).root)


def _write_pictures(out, run, index, target, maps, faces, show):
  from mefnet_jax.explain import pictures
  from mefnet_jax.runs import progress_lines

  folder = out / 'clips'
  folder.mkdir()
  videos = True
  names = files.flat_names(run.clips.clip[i] for i in index)
  drawn = progress_lines.over(index, 'Drawing clips', len(index))
  for at, i in enumerate(drawn):
    face, name = faces[at], names[run.clips.clip[i]]
    ground = pictures.backgrounds(run.clips.streams['face'][i], face, show=show)
    rows = pictures.overlays_by_method(maps, at, face, ground)
    head = _head(run, i, target[at])
    pictures.save_png(folder / f'{name}.png', pictures.strip(rows, head))
    animation = pictures.animation(rows, head)
    pictures.save_gif(folder / f'{name}.gif', animation)
    # PyAV is optional: without it GIFs alone are written.
    videos = pictures.save_mp4(folder / f'{name}.mp4', animation)
  if not videos:
    print('No MP4 was written: pip install av. The GIFs show the same.')


def _head(run, i, target):
  """The title of a clip's pictures, in parts."""
  classes = run.clips.classes
  predicted = run.probabilities[i].argmax()
  return [
    *run.notices,
    run.clips.clip[i],
    f'label: {classes[run.clips.label[i]]}',
    f'predicted: {classes[predicted]} ({run.probabilities[i].max():.0%})',
    f'explained: {classes[target]}',
    f'held out in {run.folds[run.held_out[i]]}',
  ]


if __name__ == '__main__':
  cli.run(main)
