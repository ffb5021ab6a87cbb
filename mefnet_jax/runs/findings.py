"""Findings on a release: what was found, repaired and left out, and why."""

import collections
import dataclasses
import os
import pathlib
import textwrap
import typing

from mefnet_jax.runs import clean, csv_table, files

if typing.TYPE_CHECKING:
  from collections.abc import Iterable, Sequence

FILE = 'findings.csv'
FOUND = 'found'
REPAIRED = 'repaired'
LEFT_OUT = 'left out'
IGNORED = 'ignored'
# Kinds of `datasets.inspection`, which opens every file.
GAP = 'gap'
UNREADABLE = 'unreadable'
DUPLICATE = 'duplicate'
_ROWS = 30
_WIDTH = 80


@dataclasses.dataclass(frozen=True)
class Finding:
  """One line of the report on a release.

  Attributes:
    kind: 'found', 'repaired', 'left out' or 'ignored' (litter, and what was not
      asked for); of an inspection also 'gap', 'unreadable', 'duplicate'.
    clip: id of the clip that it concerns; empty if it concerns the release or a
      file that belongs to no clip.
    file: the path of the file or folder; may be empty.
    what: what was found and what was done about it, in one line.
  """

  kind: str
  clip: str
  file: str
  what: str


def leave_out(listed: 'list[Finding]', clip: str, file: str, what: str) -> None:
  """Adds to a list that a clip or a file was left out, and why."""
  listed.append(Finding(LEFT_OUT, clip, file, what))


def lost(findings: 'Iterable[Finding]') -> set[str]:
  """Returns what was left out: ids of clips, files where no clip is known."""
  # A set: several findings may explain the loss of one clip.
  return {f.clip or f.file or f.what for f in findings if f.kind == LEFT_OUT}


def listing(
  findings: 'Sequence[Finding]', title: str = '', all_are: str = ''
) -> str:
  """Returns the findings as lines for the terminal or a log, at most ~30.

  Equal findings of several clips share one. Lines are 80 columns wide, and are
  broken between words alone: a longer path stays whole, to be copied.

  Args:
    findings: of a release.
    title: above them, 'Release' by default.
    all_are: where the user finds all of them, by default 'in findings.csv'
      (`write`).
  """
  rows = _rows(findings)
  told = [(kind, _told(*rest)) for kind, *rest in rows[:_ROWS]]
  if len(rows) > _ROWS:
    where = all_are or 'in findings.csv'
    told.append(('', f'... and {len(rows) - _ROWS} more, all {where}'))
  indent = max((len(kind) for kind, _ in told), default=0) + 4
  lines = [clean.terminal(title or 'Release')]
  for kind, text in told:
    lines += textwrap.wrap(
      clean.terminal(text),
      _WIDTH,
      initial_indent=f'  {kind}'.ljust(indent),
      subsequent_indent=' ' * indent,
      break_long_words=False,
      break_on_hyphens=False,
    )
  return '\n'.join(lines)


def write(path: str | os.PathLike, findings: 'Iterable[Finding]') -> None:
  """Writes all findings as CSV with the header kind,clip,file,what."""
  header = [f.name for f in dataclasses.fields(Finding)]
  files.write_csv(path, header, map(dataclasses.astuple, findings))


def summary(rows: 'Sequence', classes: 'Sequence[str]') -> list[Finding]:
  """Returns what was found: clips by class, then by subject.

  Args:
    rows: objects with `subject` and `label`, one a clip.
    classes: names of the labels.
  """
  by_class = collections.Counter(row.label for row in rows)
  by_subject = collections.Counter(row.subject for row in rows)
  counts = ', '.join(f'{n} {by_class[i]}' for i, n in enumerate(classes))
  people = ', '.join(f'{s} {n}' for s, n in sorted(by_subject.items()))
  return [
    Finding(FOUND, '', '', f'{len(rows)} clips: {counts}'),
    Finding(FOUND, '', '', f'{len(by_subject)} subjects: {people or "none"}'),
  ]


def _rows(findings):
  """Rows of the listing, what was found first; equal findings share one."""
  order = (FOUND, LEFT_OUT, DUPLICATE, UNREADABLE, GAP, REPAIRED, IGNORED)
  groups = collections.defaultdict(list)
  for finding in sorted(findings, key=lambda f: order.index(f.kind)):
    # A release repeats its defects: 44 rows of one kind would fill the
    # terminal.
    groups[finding.kind, finding.what].append(finding)
  return [
    (kind, _one_and_more(g, 'clip'), _one_and_more(g, 'file'), what)
    for (kind, what), g in groups.items()
  ]


def _told(clip, file, what):
  """'s01_ne_01 (image7.bmp): what was found'."""
  file = f'({file})' if clip and file else file
  where = ' '.join(filter(None, (clip, file)))
  return f'{where}: {what}' if where else what


def _one_and_more(group, field):
  """'a and 2 more' for a, b and c."""
  values = list(dict.fromkeys(filter(None, (getattr(f, field) for f in group))))
  if not values:
    return ''
  more = f' and {len(values) - 1} more' if len(values) > 1 else ''
  return values[0] + more


def read(path: pathlib.Path) -> list[Finding]:
  """Reads the findings that `write` wrote; [] if there is no file."""
  if not path.exists():
    return []
  header = [field.name for field in dataclasses.fields(Finding)]
  _, rows = csv_table.read(path, header)
  return [Finding(**{name: row[name] for name in header}) for _, row in rows]
