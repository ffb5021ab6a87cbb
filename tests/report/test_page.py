"""The page reads well, stands alone and hides no reservation."""

import collections
import html.parser
import re

import pytest

from mefnet_jax.evaluation import published, results, summaries
from mefnet_jax.report.page import build
from tests.fixtures import reported

_EVIL = '<script>alert("s")</script>\x1b[31m\u202eback'


def _html(result) -> str:
  return build.page(
    summaries.summary(result), result.history, result.findings, {'a': 'b'}
  )


class _Page(html.parser.HTMLParser):
  """Reads a page: elements in balance, their names, cells of tables."""

  _VOID = ('meta', 'br')

  def __init__(self, text):
    super().__init__()
    self.open, self.seen, self.links = [], collections.Counter(), []
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    self.seen[tag] += 1
    self.links += [v for k, v in attributes if k in ('href', 'src')]
    if tag not in self._VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attributes):
    self.seen[tag] += 1

  def handle_endtag(self, tag):
    assert self.open.pop() == tag


def test_page_is_well_formed_and_stands_alone():
  text = _html(reported.result())
  page = _Page(text)
  assert not page.open
  assert page.seen['h1'] == page.seen['main'] == 1
  assert page.seen['caption'] == page.seen['table'] > 4
  assert page.seen['svg'] == text.count('role="img"') == 3
  assert not page.seen['script'] and not page.seen['link']
  assert not re.search(r'https?:|url\(|@import', text)
  assert page.links == ['a']
  for content in ('CPU of a test', 'runs/a', 'protocol.folds', 'no frames'):
    assert content in text


def test_page_escapes_all_that_comes_from_outside():
  result = reported.result(
    release=_EVIL,
    command=_EVIL,
    device=_EVIL,
    classes=(_EVIL, 'b', 'c'),
    subject=(_EVIL,) * 24,
    fold=(_EVIL,) * 24,
    versions={_EVIL: _EVIL},
    config={_EVIL: _EVIL},
    findings=(reported.Finding('left out', _EVIL, _EVIL, _EVIL),),
  )
  page = _html(result)
  assert '<script' not in page
  assert not {c for c in page if not (c.isprintable() or c == '\n')}


_SAYINGS = [
  ({}, 'SYNTHETIC', 'rendered faces'),
  ({'leaky': 'same people'}, 'LEAKY', 'same people'),
  ({'selection': 'oracle'}, 'LEAKY', 'selection oracle'),
  (
    {'audit': {'leaks': ['twice: s1_1'], 'kinds': ['twice']}},
    'LEAKY',
    'found: twice',
  ),
  (
    {'config': {'protocol': {'shuffle_labels': True}}},
    'SHUFFLED LABELS',
    'permuted',
  ),
]


@pytest.mark.parametrize(('changes', 'word', 'why'), _SAYINGS)
def test_reservations_are_everywhere(changes, word, why):
  result = reported.result(**changes)
  summary = summaries.summary(result)
  assert why in summary['notices'][word]
  assert (word == 'LEAKY') == bool(summary['audit']['leaks'])
  page = _html(result)
  assert f'<strong>{word}:</strong>' in page and why in page
  assert word in page.split('</title>')[0] and word in summary['verdict']
  assert word in reported.terminal(result).splitlines()[0]


def test_an_honest_real_run_has_no_reservations():
  result = reported.result(synthetic=False)
  assert not results.notices(result)
  assert not re.search('LEAKY|SYNTHETIC|SHUFFLED', _html(result))


def test_claims_are_marked_and_kept_apart():
  result = reported.result()
  assert 'claim 0.998' in _html(result)
  assert 'claim 0.998' in reported.terminal(result)
  assert published.paper_claims('smic', 'mfcnn-late') == published.paper_claims(
    'smic', 'mfcnn'
  )
  assert published.paper_claims('cas_me2', 'base')['accuracy'] == 0.9023
  toy = reported.result(dataset='toy')
  assert not summaries.summary(toy)['claims']
  assert 'claim' not in reported.terminal(toy)
  assert 'Claim' not in _html(toy)


def test_held_out_curve_says_whether_it_was_used():
  assert 'shown, not used' in _html(reported.result())
  assert 'used to choose the epoch' in _html(
    reported.result(selection='oracle')
  )
  assert 'not used' not in _html(
    reported.result(history=reported.history(('train',)))
  )
  assert 'Training' not in _html(reported.result(history=[]))
