"""Checks for people and clips that are both trained on and tested.

Each check takes the evidence on a run and yields one description per finding,
which names the fold and the clips.
"""

import collections
import heapq
import itertools
import re
from collections.abc import Iterator, Sequence

from mefnet_jax.audit import evidence
from mefnet_jax.evaluation import folds_file
from mefnet_jax.preprocess import perceptual_hash
from mefnet_jax.runs import names

_MOST_NAMED = 3  # names in one description; the others are counted
_MOST_PAIRS = 2_000_000  # limits the work for thousands of copies


class Unfinished(str):
  """Describes the part that a check left out; it is no finding."""


def subject_on_both_sides(run: evidence.Evidence) -> Iterator[str]:
  """Yields the subjects of each fold that are both trained on and tested."""
  who = _subject_names(run)
  clips = _clips_of_people(who)
  for name, learnt, tested in _train_and_test(run):
    both = sorted(
      person
      for person in _people(tested, who)
      if _has_any(learnt, clips[person])
    )
    if both:
      yield f'{name}: {count_and_name(both, "subject")}'


def subject_under_two_names(run: evidence.Evidence) -> Iterator[str]:
  """Yields subjects that occur under two names.

  For example 's1' is trained on and 'S01' is tested, or two files name
  different subjects for one clip.
  """
  who = _subject_names(run)
  clips, alike = _clips_of_people(who), collections.defaultdict(list)
  for person in sorted(clips):
    alike[_normalised(person)].append(person)
  # Most subjects have one name only, and are skipped.
  others = {
    person: [other for other in people if other != person]
    for people in alike.values()
    if len(people) > 1
    for person in people
  }
  for name, learnt, tested in _train_and_test(run):
    pairs = set()
    for person in _people(tested, who) & others.keys():
      trained = [x for x in others[person] if _has_any(learnt, clips[x])]
      if trained and not _has_any(learnt, clips[person]):
        pairs.add(f'{trained[0]} and {person}')
    if pairs:
      yield f'{name}: {count_and_name(sorted(pairs), "pair")}'
  disputed = [
    f'{clip} ({", ".join(sorted(people))})'
    for clip, people in sorted(who.items())
    if len(set(map(_normalised, people))) > 1
  ]
  if disputed:
    yield f'the files name two people for {count_and_name(disputed, "clip")}'


def clip_on_both_sides(run: evidence.Evidence) -> Iterator[str]:
  """Yields the clips of each fold that are both trained on and tested."""
  for name, learnt, tested in _train_and_test(run):
    both = sorted(clip for clip in tested if clip in learnt)
    if both:
      yield f'{name}: {count_and_name(both, "clip")}'


def test_clip_for_validation(run: evidence.Evidence) -> Iterator[str]:
  """Yields validation clips that are tested, or show a tested subject."""
  for name, fold in run.folds.items():
    who = set(fold['test'].values()) - {''}
    both = sorted(
      clip
      for clip, subject in fold['validation'].items()
      if clip in fold['test'] or subject in who
    )
    if both:
      yield f'{name}: {count_and_name(both, "clip")}'


def identical_clips(run: evidence.Evidence) -> Iterator[str]:
  """Yields identical clips under different names on both sides of a fold."""
  digests = {
    clip: row['sha256']
    for clip, row in run.clip_rows.items()
    if row.get('sha256')
  }
  copies = _grouped(digests, digests)
  for name, learnt, tested in _train_and_test(run):
    of_tests = _grouped(tested, digests)
    # Only copies of tested clips, which are few.
    of_training = {
      digest: trained
      for digest in of_tests
      if (trained := {clip for clip in copies[digest] if clip in learnt})
    }
    sides = of_training, of_tests
    both = sides[0].keys() & sides[1].keys()
    # Counted without a list: 5,000 copies of a clip make millions of pairs.
    count = sum(_pairs(sides[0][x], sides[1][x]) for x in both)
    if count:
      shown = heapq.nsmallest(
        _MOST_NAMED,
        (
          f'{a} and {b}'
          for x in both
          for a in heapq.nsmallest(_MOST_NAMED + 1, sides[0][x])
          for b in heapq.nsmallest(_MOST_NAMED + 1, sides[1][x])
          if a != b
        ),
      )
      yield f'{name}: {count_and_name(shown, "pair", count)}'


def near_identical_clips(run: evidence.Evidence) -> Iterator[str]:
  """Yields clips on both sides of a fold that come from one recording.

  The last description is `Unfinished` if there are too many pairs to compare.
  """
  rows = [row for row in run.clip_rows.values() if row.get('mark')]
  if not rows:
    return
  digests = {row['clip']: row.get('sha256') for row in rows}
  folds = collections.defaultdict(list)  # that test a clip
  for name, _, tested in _train_and_test(run):
    for clip in tested:
      folds[clip].append(name)
  found = collections.defaultdict(set)
  pairs = _near(rows)
  for learnt, tested in itertools.islice(pairs, _MOST_PAIRS):
    if digests[learnt] and digests[learnt] == digests[tested]:
      continue  # `identical_clips` reports it
    for name in folds[tested]:
      if learnt in run.folds[name]['train']:
        found[name].add(f'{learnt} and {tested}')
  for name in run.folds:
    if found[name]:
      yield f'{name}: {count_and_name(sorted(found[name]), "pair")}'
  if next(pairs, None):
    yield Unfinished(
      f'only the first {_MOST_PAIRS:,} pairs of similar clips were compared'
    )


def count_and_name(
  shown: Sequence[str], what: str, count: int | None = None
) -> str:
  """Counts names and lists the first few: '4 clips: a, b, c, ... and 1 more'.

  Args:
    shown: the names, or the first few of them.
    what: a noun in the singular.
    count: number of all names; by default that of `shown`.
  """
  count = len(shown) if count is None else count
  plural = {'class': 'classes'}.get(what, what + 's')
  head = f'{count} {what if count == 1 else plural}: '
  more = f', ... and {count - _MOST_NAMED} more' * (count > _MOST_NAMED)
  return head + ', '.join(shown[:_MOST_NAMED]) + more


def _train_and_test(run):
  """Yields (fold, its training clips, its test clips), as {clip: subject}."""
  for name, fold in run.folds.items():
    yield name, fold['train'], fold['test']


def _subject_names(run):
  """All names that the files give to the person of each clip."""
  found = collections.defaultdict(set)
  for clip, who in zip(
    run.predictions.clip, run.predictions.subject, strict=True
  ):
    found[clip].add(who)
  for clip, row in run.clip_rows.items():
    found[clip].add(row.get('subject', ''))
  for side in _sides_once(run):
    for clip, who in side.items():
      found[clip].add(who)
  return {clip: people - {''} for clip, people in found.items()}


def _sides_once(run):
  """The sides of all folds; a dict behind several views comes once."""
  viewed = {}
  for fold in run.folds.values():
    for side in fold.values():
      if isinstance(side, folds_file.Others):
        viewed[id(side.everyone)] = side.everyone
      else:
        yield side
  yield from viewed.values()


def _clips_of_people(who):
  """The clips of each person, by the person's name."""
  found = collections.defaultdict(list)
  for clip, people in who.items():
    for person in people:
      found[person].append(clip)
  return found


def _has_any(side, clips):
  """Whether any of the clips is on a side."""
  return any(clip in side for clip in clips)


def _people(clips, who):
  """All names of the people in these clips."""
  return set().union(*(who[clip] for clip in clips))


def _normalised(name):
  """A subject's name without case, punctuation and leading zeros."""
  plain = names.label_key(name)
  words = re.findall(r'\d+|[^\W\d_]+', plain)
  # A name that is only punctuation has no words.
  return tuple(int(x) if x.isdecimal() else x for x in words) or plain


def _grouped(clips, digests):
  """The clips with each digest."""
  found = collections.defaultdict(set)
  for clip in clips:
    if clip in digests:
      found[digests[clip]].add(clip)
  return found


def _pairs(learnt, tested):
  """The number of pairs of different clips, one of each side."""
  return len(learnt) * len(tested) - len(learnt & tested)


def _near(rows):
  """Yields pairs of clips of one recording by their hashes, in both orders."""
  clips = collections.defaultdict(list)
  for row in rows:
    clips[row['mark']].append(row['clip'])
  marks = list(clips)
  for mark in marks:
    yield from itertools.permutations(clips[mark], 2)
  for i, j in perceptual_hash.near_pairs(marks):
    yield from itertools.product(clips[marks[i]], clips[marks[j]])
