"""Two spellings of one name have one key; two names have two."""

import unicodedata

import hypothesis
import pytest
from hypothesis import strategies

from mefnet_jax.runs import names

NFD = unicodedata.normalize('NFD', 'José')


@pytest.mark.parametrize(
  ('one', 'other'),
  [
    ('José', NFD),
    ('S01', '\uff33\uff10\uff11'),
    ('Negative', 'negative '),
    ('p\u202f1', 'p 1'),
    ('p\u00a01', 'P\u3000 1'),
    ('\ufeffpos\u200bitive', 'positive'),
    ('straße', 'STRASSE'),
    ('joy\0', 'joy'),
    ('\x1bjoy', 'joy'),
    ('joy\ufe0f', 'joy'),
    ('a\u20131', 'a-1'),
    ('a\u20101', 'A\u22121'),
    ('O\u2019Brien', "O'Brien"),
    ('\u0130smail', 'ismail'),
    ('j\u034foy\u3164', 'joy'),
  ],
)
def test_spellings_of_one_name_have_one_key(one, other):
  assert names.key(one) == names.key(other)
  assert names.label_key(one) == names.label_key(other)


@pytest.mark.parametrize(
  ('one', 'other'),
  [
    *(('s1', 's01'), ('p 1', 'p_1'), ('clip1.0', 'clip1'), ('1.10', '1.1')),
    *(('1,000', '1'), ('1,5', '1'), ('a\tb', 'ab'), ('é', 'e')),
  ],
)
def test_other_names_keep_apart(one, other):
  assert names.key(one) != names.key(other)
  assert names.label_key(one) != names.label_key(other)


def test_numbers_of_spreadsheets_are_one_label_and_two_clips():
  assert names.label_key('1.0') == names.label_key(' 1') == '1'
  assert names.label_key('1,0') == names.label_key('1,00') == '1'
  assert names.key('1.0') != names.key('1')
  assert names.person_key('006') == names.person_key('6.0') == '6'
  assert names.person_key('s1') == names.person_key('S01') == 's1'


def test_names_that_may_be_meant_as_one_are_near():
  near = [names.near_key(x) for x in ('José 02', 'jose_2', 'JOSE-002')]
  assert len(set(near)) == 1
  apart = ('s11', 's1-1', 's1', 'ss1', 'é', '?')
  assert len({names.near_key(x) for x in apart}) == len(apart)


@hypothesis.given(strategies.text())
def test_a_key_is_its_own_key(text):
  assert names.key(names.key(text)) == names.key(text)
  assert names.label_key(names.label_key(text)) == names.label_key(text)


def test_the_commonest_spelling_stands_for_all():
  said = ['Joy', 'joy', 'joy', ' fear ', '1', '1.0', '1.0']
  assert names.spellings(said) == {
    **{'Joy': 'joy', 'joy': 'joy', ' fear ': 'fear', '1': '1.0', '1.0': '1.0'}
  }


def test_an_invisible_character_is_in_no_spelling():
  assert names.spellings(['joy\u200b', 'joy\u200b', 'joy']) == {
    'joy': 'joy',
    'joy\u200b': 'joy',
  }


@pytest.mark.parametrize(
  ('text', 'missing'),
  [
    *((text, True) for text in ('', ' ', 'nan', 'NaN', '#N/A', 'NA', '<NA>')),
    *((text, False) for text in ('none', '0', 'nana', '#1', 'neutral')),
  ],
)
def test_what_says_nothing_is_missing(text, missing):
  assert names.is_missing(text) == missing
