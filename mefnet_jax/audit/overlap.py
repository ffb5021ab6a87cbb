"""Who, and which clips, are on both sides of a fold.

A check takes `evidence.Evidence` and yields what it found, in words that name
the fold and the clips.
"""

import collections
import heapq
import itertools
import re
from collections.abc import Iterator

from mefnet_jax.audit import evidence
from mefnet_jax.preprocess import perceptual_hash
from mefnet_jax.runs import names

_NAMED = 3
_MOST_PAIRS = 2_000_000  # that are looked at: thousands of copies make more


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
    f'{clip} ({", ".join(sorted(called))})'
    for clip, called in sorted(who.items())
    if len(set(map(_plain, called))) > 1
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
  digests = {
    clip: row['sha256'] for clip, row in seen.clips.items() if row.get('sha256')
  }
  for name, learnt, tested in _sides(seen):
    sides = _grouped(learnt, digests), _grouped(tested, digests)
    both = sides[0].keys() & sides[1].keys()
    count = sum(_pairs(sides[0][x], sides[1][x]) for x in both)
    if count:
      shown = heapq.nsmallest(
        _NAMED,
        (
          f'{a} and {b}'
          for x in both
          for a in heapq.nsmallest(_NAMED + 1, sides[0][x])
          for b in heapq.nsmallest(_NAMED + 1, sides[1][x])
          if a != b
        ),
      )
      yield f'{name}: {named(shown, "pair", count)}'


def near_identical_clips(seen: evidence.Evidence) -> Iterator[str]:
  """Clips of different names that are one recording, on both sides."""
  rows = [row for row in seen.clips.values() if row.get('mark')]
  if not rows:
    return
  digests = {row['clip']: row.get('sha256') for row in rows}
  folds = collections.defaultdict(list)  # that test a clip
  for name, _, tested in _sides(seen):
    for clip in tested:
      folds[clip].append(name)
  found = collections.defaultdict(set)
  for learnt, tested in itertools.islice(_near(rows), _MOST_PAIRS):
    if digests[learnt] and digests[learnt] == digests[tested]:
      continue
    for name in folds[tested]:
      if learnt in seen.folds[name]['train']:
        found[name].add(f'{learnt} and {tested}')
  for name in seen.folds:
    if found[name]:
      yield f'{name}: {named(sorted(found[name]), "pair")}'


def named(shown, what, count=None):
  """'3 clips: a, b, c', and no more than a few of many."""
  count = len(shown) if count is None else count
  plural = {'class': 'classes'}.get(what, what + 's')
  head = f'{count} {what if count == 1 else plural}: '
  more = f', ... and {count - _NAMED} more' * (count > _NAMED)
  return head + ', '.join(shown[:_NAMED]) + more


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
  return {clip: called - {''} for clip, called in found.items()}


def _people(clips, who):
  """All names of the people of these clips."""
  return set().union(*(who[clip] for clip in clips))


def _plain(name):
  """A subject's name without case, marks and leading zeros."""
  plain = names.label_key(name)
  words = re.findall(r'\d+|[^\W\d_]+', plain)
  return tuple(int(x) if x.isdecimal() else x for x in words) or plain


def _grouped(clips, digests):
  """Digest to those of these clips that have it."""
  found = collections.defaultdict(set)
  for clip in clips:
    if clip in digests:
      found[digests[clip]].add(clip)
  return found


def _pairs(learnt, tested):
  """How many pairs of two different clips there are, one of each side."""
  return len(learnt) * len(tested) - len(learnt & tested)


def _near(rows):
  """(clip, clip) of one recording by their marks, in both orders."""
  clips = collections.defaultdict(list)
  for row in rows:
    clips[row['mark']].append(row['clip'])
  marks = list(clips)
  for mark in marks:
    yield from itertools.permutations(clips[mark], 2)
  for i, j in perceptual_hash.near_pairs(marks):
    yield from itertools.product(clips[marks[i]], clips[marks[j]])
