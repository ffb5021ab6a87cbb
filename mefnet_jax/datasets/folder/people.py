"""Matches spellings of people and classes in a user's own folder or table."""

import collections
import re

from mefnet_jax.runs import cache, errors, findings, names

_LONGEST = 80  # letters of a subject's name: it is part of file names
_EMOTIONS = frozenset(
  'negative neg ne positive pos po surprise surprised sur su anger angry ang '
  'an disgust disgusted dis di fear fearful fea fe sad sadness sa happy '
  'happiness happ hap ha joy joyful glad contempt con neutral neu '
  'repression rep tense tension others other oth none calm amusement '
  'pain confusion confused '
  'helpless pride shame excitement relaxed bored boredom emotion micro macro '
  '消极 负面 积极 正面 惊讶 吃惊 愤怒 生气 厌恶 恐惧 害怕 悲伤 高兴 快乐 开心 '
  '轻蔑 压抑 紧张 其他 中性'.split()
)
_FIELDS = {'label': 'class', 'subject': 'person', 'database': 'database'}
_PERSON = re.compile(
  r'(s|sub|subj|subject|p|person|participant|spno|id|user|face)[ _.-]*\d+'
)


def unify(entries: list[dict], listed: list[findings.Finding]) -> None:
  """Gives classes, people and databases one spelling each, and reports it."""
  for field, what in _FIELDS.items():
    chosen = names.spellings(entry.get(field, '') for entry in entries)
    groups = collections.defaultdict(list)
    for text, spelling in chosen.items():
      groups[spelling].append(text)
    for spelling, texts in sorted(groups.items()):
      if len(texts) > 1:
        quoted = ', '.join(map(repr, sorted(texts)))
        repair = f'{len(texts)} spellings of one {what}, {spelling}: {quoted}'
        listed.append(findings.Finding(findings.REPAIRED, '', '', repair))
    for entry in entries:
      entry[field] = chosen[entry.get(field, '')]
  _report_near(entries, listed)


def _report_near(entries, listed):
  """Reports people whose names differ in little: zeros, accents, separators."""
  near = collections.defaultdict(set)
  for entry in entries:
    who = person(entry)
    near[who[0], names.near_key(who[1])].add(who[1])
  for _, alike in sorted(near.items()):
    if len(alike) > 1:
      what = (
        f'{", ".join(map(repr, sorted(alike)))} are taken for {len(alike)} '
      )
      what += 'people: spell them alike if they are one'
      listed.append(findings.Finding(findings.REPAIRED, '', '', what))


def check_sides(entries: list[dict], where: str) -> None:
  """Raises errors.UserError if classes and people seem to be exchanged.

  That is so if people have names of emotions and classes have not; if classes
  have names of people; if there are more classes than people; or if each class
  is of one person.
  """
  classes = {names.label_key(entry['label']) for entry in entries}
  people = {names.label_key(entry['subject']) for entry in entries}
  if 2 * len(classes & _EMOTIONS) >= len(classes) or len(classes) < 2:
    return
  if all(map(_PERSON.fullmatch, people)):
    return
  people_of_class = {
    len({e['subject'] for e in entries if names.label_key(e['label']) == x})
    for x in classes
  }
  why = ''
  if people & _EMOTIONS:
    why = f'a person is called {sorted(people & _EMOTIONS)[0]}'
  elif all(map(_PERSON.fullmatch, classes)):
    why = f'a class is called {sorted(classes)[0]}'
  elif len(classes) > len(people) > 1:
    why = f'{len(classes)} classes of {len(people)} people'
  elif people_of_class == {1} and len(classes) > 2:
    why = 'each class is of one person alone'
  if why:
    raise errors.UserError(
      f'{where}: {why}: are these person/class/clip? Expected is '
      'class/person/clip, or a table with subject and label (clips.csv)'
    )


def subjects(entries: list[dict]) -> dict[tuple[str, str], str]:
  """Returns for each (database, subject) a name that a TFDS split may have.

  No two differ only in case, because splits are files, and some file systems
  do not distinguish s1 from S1.
  """
  plain = {}
  for who in sorted({person(entry) for entry in entries}):
    name = re.sub(r'[^A-Za-z0-9_]+', '_', '_'.join(filter(None, who)))
    plain[who] = name.strip('_')[:_LONGEST]
  count = collections.Counter(name.lower() for name in plain.values())
  for who, name in plain.items():
    if count[name.lower()] > 1 or name.lower() in ('', 'all'):  # TFDS's own
      plain[who] = f'{name or "subject"}_{cache.digest(who)[:6]}'
  return plain


def person(entry: dict) -> tuple[str, str]:
  """Returns (database, subject): one name in two databases is two people."""
  return entry.get('database', ''), entry['subject']
