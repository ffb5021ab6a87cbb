"""Who, and which clips, are on both sides of a fold.

A check takes `evidence.Evidence` and yields what it found, in words that name
the fold and the clips.
"""

import collections
import re
from collections.abc import Iterator

import numpy as np

from mefnet_jax.audit import evidence
from mefnet_jax.preprocess import perceptual_hash

_NAMED = 3


def subject_on_both_sides(seen: evidence.Evidence) -> Iterator[str]:
  """A person is trained on and tested."""
  who = _names(seen)
  for name, learnt, tested in _sides(seen):
    both = sorted(_people(learnt, who) & _people(tested, who))
    if both:
      yield f'{name}: {named(both, "subject")}'


def subject_under_two_names(seen: evidence.Evidence) -> Iterator[str]:
  """'s1' is trained on and 'S01' is tested, or the files disagree."""
  who = _names(seen)
  for name, learnt, tested in _sides(seen):
    people = _people(learnt, who)
    known = {_plain(person): person for person in people}
    pairs = {
      f'{known[_plain(person)]} and {person}'
      for person in _people(tested, who) - people
      if _plain(person) in known
    }
    if pairs:
      yield f'{name}: {named(sorted(pairs), "pair")}'
  torn = [
    f'{clip} ({", ".join(sorted(names))})'
    for clip, names in sorted(who.items())
    if len(names) > 1
  ]
  if torn:
    yield f'the files name two people for {named(torn, "clip")}'


def clip_on_both_sides(seen: evidence.Evidence) -> Iterator[str]:
  """The same clip is trained on and tested."""
  for name, learnt, tested in _sides(seen):
    both = sorted(set(learnt) & set(tested))
    if both:
      yield f'{name}: {named(both, "clip")}'


def test_clip_for_validation(seen: evidence.Evidence) -> Iterator[str]:
  """A tested clip, or its person, is among those that choose something."""
  for name, fold in seen.folds.items():
    who = set(fold['test'].values()) - {''}
    both = sorted(
      clip
      for clip, subject in fold['validation'].items()
      if clip in fold['test'] or subject in who
    )
    if both:
      yield f'{name}: {named(both, "clip")}'


def identical_clips(seen: evidence.Evidence) -> Iterator[str]:
  """Clips of different names and the same pixels on both sides."""
  where = collections.defaultdict(list)
  for clip, row in seen.clips.items():
    if row.get('sha256'):
      where[row['sha256']].append(clip)
  groups = [group for group in where.values() if len(group) > 1]
  pairs = {(a, b) for group in groups for a in group for b in group if a != b}
  yield from _across(seen, pairs)


def near_identical_clips(seen: evidence.Evidence) -> Iterator[str]:
  """Clips of different names that are one recording, on both sides."""
  rows = [row for row in seen.clips.values() if row.get('mark')]
  if rows:
    near = np.argwhere(perceptual_hash.near([row['mark'] for row in rows]))
    pairs = {(rows[i]['clip'], rows[j]['clip']) for i, j in near}
    digests = {row['clip']: row.get('sha256') for row in rows}
    yield from _across(
      seen,
      {(a, b) for a, b in pairs if not digests[a] or digests[a] != digests[b]},
    )


def named(names, what):
  """'3 clips: a, b, c', and no more than a few of many."""
  plural = {'class': 'classes'}.get(what, what + 's')
  head = f'{len(names)} {what if len(names) == 1 else plural}: '
  more = f', ... and {len(names) - _NAMED} more' * (len(names) > _NAMED)
  return head + ', '.join(names[:_NAMED]) + more


def _sides(seen):
  """(fold, clips it learns from, clips it tests), each clip: subject."""
  for name, fold in seen.folds.items():
    yield name, fold['train'], fold['test']


def _names(seen):
  """Clip to all that the files call its person."""
  found = collections.defaultdict(set)
  for clip, who in zip(seen.made.clip, seen.made.subject, strict=True):
    found[clip].add(who)
  for clip, row in seen.clips.items():
    found[clip].add(row.get('subject', ''))
  for fold in seen.folds.values():
    for side in fold.values():
      for clip, who in side.items():
        found[clip].add(who)
  return {clip: names - {''} for clip, names in found.items()}


def _people(clips, who):
  """All names of the people of these clips."""
  return set().union(*(who[clip] for clip in clips))


def _plain(name):
  """A subject's name without case, marks and leading zeros."""
  words = re.findall(r'\d+|[^\W\d_]+', name.casefold())
  return tuple(int(x) if x.isdecimal() else x for x in words) or name


def _across(seen, pairs):
  """Those (learnt, tested) pairs of clips that a fold puts on two sides."""
  for name, learnt, tested in _sides(seen):
    both = sorted(
      f'{a} and {b}' for a, b in pairs if a in learnt and b in tested
    )
    if both:
      yield f'{name}: {named(both, "pair")}'
