"""Finds the images of the expressions of CAS(ME)^2.

    selectedpic/s15/anger1_1/img557.jpg            cut out, full frame
    cropped/15/anger1_1/img557.jpg                 cut out, face
    rawpic/s15/15_0101disgustingteeth/img001.jpg   long videos, 1-based
    rawvideo/s16/16_0101disgustingteeth.avi        the same as videos
    longVideoFaceCropped/s27/27_0505funny.../img_1.jpg      the same, face

Some copies have a doubled level (rawpic/rawpic/s15). Long videos are matched by
the four-digit code and by the subject in their own name, because the release
holds one under the wrong subject.
"""

import dataclasses
import pathlib
import re
import typing

from mefnet_jax.datasets import directories
from mefnet_jax.preprocess import video
from mefnet_jax.runs import findings, names

if typing.TYPE_CHECKING:
  from collections.abc import Sequence

  from mefnet_jax.datasets.cas_me2 import workbook

# In the order of preference: full frames show more than the face crops.
CUT = ('selectedpic', 'cropped')
VIDEOS = 'rawvideo'
LONG = ('rawpic', VIDEOS, 'longVideoFaceCropped')
TREES = CUT + LONG
_SUBJECT = re.compile(r's?0*(\d{1,4})', re.IGNORECASE)
_VIDEO = re.compile(r'(\d{1,4})_(\d{4})')


@dataclasses.dataclass
class Tree:
  """One of the trees that a release may hold.

  Attributes:
    name: one of `TREES`.
    root: its folder.
    places: (subject, clip name or video code) to the folder or the video.
    listed: findings on misfiled videos.
    read: (number, image) of all frames of the folders and videos read so far.
    why: a defect of such a folder or video; '' if it has none.
  """

  name: str
  root: pathlib.Path
  places: dict[tuple[int, str], pathlib.Path]
  listed: list[findings.Finding]
  read: dict[pathlib.Path, list] = dataclasses.field(default_factory=dict)
  why: dict[pathlib.Path, str] = dataclasses.field(default_factory=dict)

  def frames(
    self, expression: 'workbook.Expression'
  ) -> tuple[list[tuple[int, pathlib.Path | None]], pathlib.Path | None]:
    """Returns (number, image) of all frames of a folder, and the folder.

    The images of a video are None; the folder is None if it does not exist.
    """
    folder = self.places.get((expression.subject, self._key(expression)))
    if folder is None:
      return [], None
    # Several expressions share a long video, which takes seconds to decode.
    if folder not in self.read:
      self.read[folder] = self._all(folder)
    return self.read[folder], folder

  def _all(self, folder):
    if self.name == VIDEOS:
      try:
        scan = video.scan(folder)
      except (OSError, ValueError) as error:
        self.why[folder] = getattr(error, 'strerror', None) or str(error)
        return []
      self.why[folder] = '; '.join(scan.notes)
      return [(n, None) for n in range(1, len(scan.times) + 1)]
    found = directories.frames(folder)
    self.why[folder] = found.why
    return list(zip(found.numbers, found.files, strict=True))

  def place(self, expression: 'workbook.Expression') -> pathlib.Path:
    """Returns where the folder of an expression should be."""
    number, key = expression.subject, self._key(expression)
    if self.name in LONG:
      return self.root / f's{number}' / f'{number}_{key}*'
    return self.root / f'{"s" * (self.name == CUT[0])}{number}' / key

  def _key(self, expression):
    return expression.video if self.name in LONG else expression.name


def find(root: pathlib.Path, wanted: 'Sequence[str]') -> list[Tree]:
  """Returns the trees found in `root`, in the order of `wanted`."""
  found = {}
  for folder in directories.walk(root):
    name = {tree.lower(): tree for tree in wanted}.get(names.key(folder.name))
    if name and _subjects(folder):  # of a doubled level the inner one
      found.setdefault(name, folder)
  return [_tree(name, found[name], root) for name in wanted if name in found]


def _subjects(folder):
  """The folders of subjects in a tree, such as s15 or 15."""
  return [
    f
    for f in directories.subfolders(folder)
    if _SUBJECT.fullmatch(names.key(f.name))
  ]


def _tree(name, folder, root):
  """One tree with the places of all its clips or long videos."""
  tree = Tree(name, folder, {}, [])
  misfiled = {}
  for subject in _subjects(folder):
    number = int(_SUBJECT.fullmatch(names.key(subject.name))[1])
    for place in _places(name, subject):
      if name in CUT:
        tree.places.setdefault((number, names.key(place.name)), place)
      elif code := _VIDEO.match(names.key(place.name)):
        named = int(code[1])
        found = tree.places if named == number else misfiled
        found.setdefault((named, code[2]), place)
  # Last, so that a video in its right place is preferred to a misfiled one.
  for key, place in misfiled.items():
    _refile(tree, key, place, directories.relative(place, root))
  return tree


def _places(name, subject):
  """The folders of a subject's clips, or the subject's videos."""
  if name != VIDEOS:
    return directories.subfolders(subject)
  return [
    f for f in directories.files(subject) if f.suffix.lower() in video.SUFFIXES
  ]


def _refile(tree, key, place, shown):
  """Gives a misfiled video to the subject in its name if that one lacks it."""
  what = f"subject {key[0]}'s video under {place.parent.name}"
  if key in tree.places:
    what, kind = f'{what}: a copy, not used', findings.IGNORED
  else:
    tree.places[key] = place
    what, kind = f'{what}: used for subject {key[0]}', findings.REPAIRED
  tree.listed.append(findings.Finding(kind, '', shown, what))
