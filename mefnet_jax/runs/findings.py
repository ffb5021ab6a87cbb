"""Findings on a release: observations, repairs and omissions, with reasons."""

import collections
import dataclasses
import os
import pathlib
import textwrap
import typing

from mefnet_jax.runs import csv_table, escape, files

if typing.TYPE_CHECKING:
  from collections.abc import Iterable, Sequence

FILE = 'findings.csv'
FOUND = 'found'
REPAIRED = 'repaired'
LEFT_OUT = 'left out'
IGNORED = 'ignored'
# Kinds that only `datasets.inspection` gives, which opens every file.
GAP = 'gap'
UNREADABLE = 'unreadable'
DUPLICATE = 'duplicate'
_ROWS = 30
_WIDTH = 80


@dataclasses.dataclass(frozen=True)
class Finding:
  """One line of the report on a release.

  Attributes:
    kind: 'found', 'repaired', 'left out' or 'ignored' (litter, and files that
      were not asked for); after an inspection also 'gap', 'unreadable' or
      'duplicate'.
    clip: id of the clip; empty if the finding concerns the whole release or a
      file that belongs to no clip.
    file: the path of the file or folder; may be empty.
    what: one line on the observation and its treatment.
  """

  kind: str
  clip: str
  file: str
  what: str


def leave_out(listed: 'list[Finding]', clip: str, file: str, what: str) -> None:
  """Adds a finding to a list: a clip or a file was left out.

  Args:
    listed: the list.
    clip: id of the clip; may be empty.
    file: path of the file; may be empty.
    what: the reason.
  """
  listed.append(Finding(LEFT_OUT, clip, file, what))


def lost(findings: 'Iterable[Finding]') -> set[str]:
  """Returns the ids of clips that were left out, or files of unknown clips."""
  # A set: several findings may explain the loss of one clip.
  return {f.clip or f.file or f.what for f in findings if f.kind == LEFT_OUT}


def listing(
  findings: 'Sequence[Finding]', title: str = '', all_are: str = ''
) -> str:
  """Returns the findings as text for the terminal or a log, about 30 rows.

  Equal findings on several clips share a row. Lines have 80 columns and break
  between words only, so that a long path can be copied.

  Args:
    findings: those of a release.
    title: the first line, by default 'Release'.
    all_are: where the user finds the complete list, by default 'in
      findings.csv' (`write`).
  """
  rows = _rows(findings)
  listed = [(kind, _sentence(*rest)) for kind, *rest in rows[:_ROWS]]
  if len(rows) > _ROWS:
    where = all_are or 'in findings.csv'
    listed.append(('', f'... and {len(rows) - _ROWS} more, all {where}'))
  indent = max((len(kind) for kind, _ in listed), default=0) + 4
  lines = [escape.terminal(title or 'Release')]
  for kind, text in listed:
    lines += textwrap.wrap(
      escape.terminal(text),
      _WIDTH,
      initial_indent=f'  {kind}'.ljust(indent),
      subsequent_indent=' ' * indent,
      break_long_words=False,
      break_on_hyphens=False,
    )
  return '\n'.join(lines)


def write(path: str | os.PathLike, findings: 'Iterable[Finding]') -> None:
  """Writes all findings as CSV with the header kind,clip,file,what.

  Raises:
    OSError: the file cannot be written.
  """
  header = [f.name for f in dataclasses.fields(Finding)]
  files.write_csv(path, header, map(dataclasses.astuple, findings))


def summary(rows: 'Sequence', classes: 'Sequence[str]') -> list[Finding]:
  """Returns two findings: the number of clips by class, and by subject.

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
  """Rows of the listing in the order of the kinds; equal findings share one."""
  order = (FOUND, LEFT_OUT, DUPLICATE, UNREADABLE, GAP, REPAIRED, IGNORED)
  groups = collections.defaultdict(list)
  for finding in sorted(findings, key=lambda f: order.index(f.kind)):
    # A release repeats its defects, and equal rows would fill the terminal.
    groups[finding.kind, finding.what].append(finding)
  return [
    (kind, _one_and_more(g, 'clip'), _one_and_more(g, 'file'), what)
    for (kind, what), g in groups.items()
  ]


def _sentence(clip, file, what):
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
  """Reads the findings that `write` wrote; [] if there is no file.

  Raises:
    errors.UserError: as `csv_table.read`.
  """
  if not path.exists():
    return []
  header = [field.name for field in dataclasses.fields(Finding)]
  _, rows = csv_table.read(path, header)
  return [Finding(**{name: row[name] for name in header}) for _, row in rows]
