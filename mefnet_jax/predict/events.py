"""Spots the expressions in one face's crops: candidates first, then events.

A window of .3 seconds slides over the crops. Where the model's probability of
an expression, or of one that is going back, is at a peak, a candidate is
followed from onset to offset (`motion_course`). The model's answer to its
middle half then decides whether it is an event. Times are those of the even
clock of `resample`: cells, or seconds.
"""

import dataclasses
from collections.abc import Callable, Iterator
from concurrent import futures

import numpy as np

from mefnet_jax.predict import (
  expressions,
  merge_expressions,
  motion_course,
  optional_executor,
  resample,
  thresholds,
)
from mefnet_jax.preprocess import motion_map

_APART = 0.2  # seconds between two candidates
_SLACK = 4  # cells that are kept beyond the longest expression
_BEHIND = 60  # cells by which following a candidate may lag

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Spotter:
  """Finds the expressions of one face, as long as its cells have no gap.

  Args:
    scorer: scores windows and expressions.
    limits: thresholds of candidates and events.
    at_once: windows in a batch.
    flow: computes the motion map from one crop to another.
    pool: executor that computes the flow of windows in the background. The
      events are the same without.
    later: executor that follows candidates in the background. By default each
      cell waits for it; the events are the same.
  """

  def __init__(
    self,
    scorer: expressions.Scorer,
    limits: thresholds.Thresholds = thresholds.CHOSEN,
    at_once: int = 16,
    flow: Flow = motion_map.between,
    pool: futures.Executor | None = None,
    later: futures.Executor | None = None,
  ):
    self._between, self._pool, self._later = flow, pool, later
    self._scorer, self._limits, self._at_once = scorer, limits, at_once
    self.window = round(limits.window * resample.RATE)
    self._longest = round(limits.longest * resample.RATE)
    self._cells: list[expressions.Cell] = []
    self._first = 0  # the cell of self._cells[0]
    # Of the windows that are not scored yet.
    self._maps: list[futures.Future] = []
    self._tried = 0  # cells before this one hold no new candidate
    self._waiting: list[expressions.Found] = []
    self._following: futures.Future | None = None  # a candidate
    self._flows: dict[tuple[int, int], np.ndarray] = {}  # of that candidate

  def push(
    self, number: int, cell: expressions.Cell
  ) -> tuple[list[expressions.Moment], list[expressions.Found]]:
    """Takes the next cell.

    Args:
      number: its number; after a gap all begins anew.
      cell: the face at that moment.

    Returns:
      The windows that have been scored since, and the expressions that have
      ended.
    """
    moments: list[expressions.Moment] = []
    found: list[expressions.Found] = []
    if self._cells and number != self._first + len(self._cells):
      moments, found = self.finish()
    if not self._cells:
      self._first = self._tried = number
    self._cells.append(cell)
    if len(self._cells) > self.window:
      before = self._cells[-1 - self.window].crop
      self._maps.append(
        optional_executor.submit(self._pool, self._between, before, cell.crop)
      )
    if len(self._maps) >= self._at_once:
      moments += self._score()
      found += self._find(final=False)
    return moments, found

  def finish(self) -> tuple[list[expressions.Moment], list[expressions.Found]]:
    """Ends all that has begun; returns as `push`. A next cell begins anew."""
    moments = self._score() if self._maps else []
    found = self._find(final=True)
    self._cells, self._maps = [], []
    return moments, found

  def _score(self):
    """Scores the latest windows."""
    maps = np.stack([one.result() for one in self._maps])
    moments = self._scorer.moments(maps)
    cells = self._cells[-len(maps) :]
    start = self._first + len(self._cells) - len(maps)
    scored, limits = [], self._limits
    for i, cell in enumerate(cells):
      cell.motion = motion_course.strength(maps[i])
      forth, back = float(moments.expression[i]), float(moments.returning[i])
      cell.score, cell.returns = max(forth, back), back > forth
      lids = motion_course.lid_strength(maps[i])
      if cell.motion < max(limits.amplitude, limits.lids * lids):
        cell.score = 0.0
      time = (start + i - self.window / 2) * resample.CELL
      units = {name: x[i] for name, x in moments.units.items()}
      scored.append(expressions.Moment(time, forth, back, cell.motion, units))
    self._maps = []
    return scored

  def _find(self, *, final):
    """Follows candidates whose end has been seen; returns events in order."""
    apart = round(_APART * resample.RATE)
    last = self._first + len(self._cells) - (0 if final else apart)
    while self._tried < last:
      found = self._try(self._tried - self._first, apart, final)
      if found is None:
        break
      self._flows = {}
      self._waiting += found
      self._tried += 1
    self._forget()
    return list(self._release(final))

  def _try(self, at, apart, final):
    """The expression at a cell, in a list; [] if none, None if not yet over."""
    if final and self._following is not None:
      self._following.result()  # of fewer cells than there are now
      self._following = None
    if self._following is None:
      if not self._is_candidate(at, apart):
        return []
      self._following = optional_executor.submit(
        self._later, self._follow, list(self._cells), self._first, at, final
      )
    behind = len(self._cells) - at > self._longest + _BEHIND
    if not (final or behind or self._following.done()):
      return None  # `behind` waits for it, so that memory does not grow
    found, self._following = self._following.result(), None
    return found

  def _is_candidate(self, at, apart):
    """Whether a cell is likely in an expression, and the likeliest nearby."""
    here = self._cells[at]
    if here.score < self._limits.candidate:
      return False
    around = self._cells[max(0, at - apart) : at + apart + 1]
    return here.score * here.motion >= max(c.score * c.motion for c in around)

  def _follow(self, cells, first, at, final):
    """As `_try`, for a candidate in cells whose first one is `first`.

    An expression that seems to go back has begun before. If no beginning is
    found there, but an end is found afterwards, it begins here although the
    model calls it a return: brows that are low at rest rise as brows do after a
    frown.
    """
    here = cells[at]
    back = self._back(at, cells, first) if here.returns else None
    if back and self._is_over(back):
      return [self._event(back, here.score, cells, first)]
    forth = self._course(at, cells, first, lambda i: i)
    if forth and not forth.is_whole and not final:
      return None
    if not here.returns:
      return [self._event(forth, here.score, cells, first)] if forth else []
    if forth and self._is_over(forth):
      return [self._event(forth, here.score, cells, first, begins=True)]
    return [self._event(back, here.score, cells, first)] if back else []

  def _back(self, at, cells, first):
    """The course of what ends in a window, followed backwards in time."""
    last = len(cells) - 1
    peak = last - (at - self.window)
    found = self._course(peak, cells, first, lambda i: last - i)
    return found and _flipped(found, last)

  def _is_over(self, found):
    """Whether both ends of a course have been seen."""
    return found.is_whole and found.offset - found.onset <= self._longest

  def _course(self, peak, cells, first, place):
    """Follows a candidate; `place` maps a crop to its cell."""

    def flow(one, other):
      own = place(one), place(other)
      key = first + own[0], first + own[1]
      if key not in self._flows:
        self._flows[key] = self._between(*(cells[i].crop for i in own))
      return self._flows[key]

    if not 0 <= peak < len(cells):
      return None
    return motion_course.follow(
      flow,
      len(cells),
      peak,
      self.window,
      begins=self._limits.begins,
      ends=self._limits.ends,
      longest=self._longest,
    )

  def _event(self, found, score, cells, first, *, begins=False):
    """`begins`: treat it as an onset although the model calls it a return."""
    onset, apex, offset = (
      (first + cell) * resample.CELL
      for cell in (found.onset, found.apex, found.offset)
    )
    cells = cells[int(found.onset) : int(found.offset) + 2]
    places = np.stack([cell.place for cell in cells])
    answer = self._scorer.answer(self._expression(found.middle, cells))
    if begins:
      sure = min(1.0, answer.confidence + answer.returning)
      answer = answer._replace(confidence=sure)
    return expressions.Found(
      onset,
      apex,
      offset,
      answer,
      found.motion,
      found.lids,
      found.middle,
      float(np.ptp(places, axis=0).max()),
      score,
    )

  def _expression(self, middle, cells):
    squares, points = np.zeros((0, 128, 128)), np.zeros((68, 2))
    if self._scorer.needs_squares:
      squares, points = np.stack([c.square for c in cells]), cells[0].points
    return expressions.Expression(middle, squares, points)

  def _forget(self):
    """Drops cells that no candidate can need."""
    keep = self._longest + self.window + _SLACK
    spare = min(len(self._cells), self._tried - self._first) - keep
    if spare > 0:
      del self._cells[:spare]
      self._first += spare

  def _release(self, final) -> Iterator[expressions.Found]:
    """Yields the events among expressions that follow close on one another,
    once no other can follow."""
    now = (self._tried + 1e9 * final) * resample.CELL
    self._waiting = [f for f in self._waiting if self.is_event(f)]
    self._waiting.sort(key=lambda f: f.onset)
    while self._waiting:
      group = [self._waiting[0]]
      until = group[0].offset + merge_expressions.SOON
      for other in self._waiting[1:]:
        if other.onset < until:
          group.append(other)
          until = max(until, other.offset + merge_expressions.SOON)
      if now < until + self._limits.window:
        return
      yield from merge_expressions.merged(group)
      self._waiting = self._waiting[len(group) :]

  def is_event(self, found: expressions.Found) -> bool:
    """Whether an expression passes the thresholds of an event."""
    limits = self._limits
    return (
      found.answer.confidence >= limits.confidence
      and found.motion >= max(limits.amplitude, limits.lids * found.lids)
      and limits.shortest <= found.offset - found.onset <= limits.longest
      and found.turning <= limits.turning
    )


def _flipped(found, last):
  """A course that was followed backwards, with its cells counted forwards."""
  return dataclasses.replace(
    found,
    onset=last - found.offset,
    apex=last - found.apex,
    offset=last - found.onset,
  )
