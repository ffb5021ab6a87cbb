"""The result of reading a release: one row for each clip, and the findings."""

import dataclasses
import pathlib
import typing

if typing.TYPE_CHECKING:
  from collections.abc import Iterator, Sequence

  from mefnet_jax.runs import findings


@dataclasses.dataclass(frozen=True)
class Row:
  """One clip of a release.

  Attributes:
    clip: unique id: 's01_sur_02' (SMIC), 's15_anger1_1' (CAS(ME)^2).
    subject: 's01', 's15'.
    label: index into the release's classes.
    onset, apex, offset: frame numbers as in the release's file names.
    frames: the image files, in the order of their numbers.
    numbers: the frame numbers, increasing.
    database: the database of origin, where a release joins several; else empty.
    video: the file with the frames, numbered from 1; `frames` is then empty.
    white: for pictures of more than 8 bits, the least value that must become
      white for the sake of other clips of the release; 0 if there is none.
    corrected_from: the model whose answers the annotator saw; empty if none.
  """

  clip: str
  subject: str
  label: int
  onset: int
  apex: int
  offset: int
  frames: tuple[pathlib.Path, ...]
  numbers: tuple[int, ...]
  database: str = ''
  video: pathlib.Path | None = None
  white: float = 0.0
  corrected_from: str = ''

  @property
  def files(self) -> tuple[pathlib.Path, ...]:
    """All files of the clip."""
    return self.frames if self.video is None else (self.video,)

  @property
  def place(self) -> pathlib.Path:
    """The clip's first file: where to look for it."""
    return self.files[0]


def defects(
  numbers: 'Sequence[int]', onset: int, apex: int, offset: int
) -> 'Iterator[str]':
  """Yields the defects of a clip's frame numbers, one line each.

  Args:
    numbers: frame numbers of the frames that exist, increasing.
    onset, apex, offset: frame numbers, as the release states them.
  """
  # Only frames missing at the ends: gaps are filled by interpolation.
  if numbers[0] > onset or numbers[-1] < offset:
    yield 'frames of its beginning or end are missing: a shorter clip'
  if not onset <= apex <= offset:
    yield 'apex before onset or after offset: the nearer of them taken'


@dataclasses.dataclass(frozen=True)
class Release:
  """A release as it lies on disk, with its defects.

  Attributes:
    name: name of the data set, a key of `datasets.registry.DATASETS`.
    root: the folder that the user named.
    rows: usable clips, sorted by id.
    classes: names of the labels, all of the label set.
    findings: what was found, repaired and left out.
    synthetic: whether all its files are rendered, by `datasets.provenance`.
    published: the counts that its authors published for the part that is read,
      as in `check.counts`.
    places: folders whose every entry must be read, left out or ignored.
    apart: keys (`names.key`) of folders in them that were not asked for.
    listed: whether a table lists what to read; the rest is then ignored.
  """

  name: str
  root: pathlib.Path
  rows: tuple[Row, ...]
  classes: tuple[str, ...]
  findings: 'tuple[findings.Finding, ...]'
  synthetic: bool
  published: dict
  places: tuple[pathlib.Path, ...] = ()
  apart: tuple[str, ...] = ()
  listed: bool = False
