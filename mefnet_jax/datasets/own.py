"""Data sets that a user's own file registers, and their TFDS builders."""

import functools
import re
import types
import typing
from collections.abc import Callable

from mefnet_jax.datasets import registry
from mefnet_jax.preprocess import clip_records
from mefnet_jax.runs import plugins

if typing.TYPE_CHECKING:
  from mefnet_jax.datasets import builder


def register(
  name: str,
  read: Callable[..., clip_records.Release],
  *,
  title: str = '',
  licence: str = 'Not known: whoever made the recordings says it.',
  fps: float | None = None,
) -> None:
  """Makes a data set of one's own known, by `config.dataset.name`.

  Args:
    name: by which it is chosen: letters, digits and _; not one of ours.
    read: `read(root, **options)` returns a `clip_records.Release` of that
      name. The options are the fields of `registry.READING`. For a folder that
      is no such release it raises errors.UserError.
    title: its name in print.
    licence: under which terms it is given out.
    fps: frames per second of its clips, if they are known.

  Raises:
    ValueError: the name is one of ours, or not made of those characters.
  """
  if name in registry.DATASETS and not plugins.is_own('data set', name):
    raise ValueError(f'{name!r} is one of our data sets: choose another name')
  if not re.fullmatch('[a-z][a-z0-9_]*', name):
    raise ValueError(f'{name!r}: a name of a-z, 0-9 and _ is needed')
  described = (read.__doc__ or f'as {name} is laid out').strip().splitlines()[0]
  reader = types.ModuleType(name)
  reader.__dict__.update(
    read=read,
    looks_like=lambda root: False,
    TREE=described,
    IMAGES=('auto',),
  )
  plugins.note('data set', name)
  registry.DATASETS[name] = registry.Dataset(
    reader=reader,
    builder=('mefnet_jax.datasets.own', name),
    title=title or name,
    literature='',
    licence=licence,
    fps={} if fps is None else {'': fps},
    synthetic=lambda reading: None,
  )


@functools.cache
def __getattr__(name: str) -> 'type[builder.Builder]':
  """The TFDS builder of a registered data set, as an attribute of its name."""
  if name.startswith('_') or not plugins.is_own('data set', name):
    raise AttributeError(name)
  from mefnet_jax.datasets import builder  # imports TFDS

  fields = {
    '__doc__': f'Clips of {name}, a data set that its user registered.',
    '__module__': __name__,
    'MANUAL_DOWNLOAD_INSTRUCTIONS': 'Give the folder of the release.',
    'RELEASE': name,
    'BUILDER_CONFIGS': [],
    'name': name,
  }
  words = ''.join(word.title() for word in name.split('_'))
  return type(words, (builder.Builder,), fields)
