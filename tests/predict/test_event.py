"""Events, and the table of them."""

import io
import math

import pandas as pd
import pytest
from hypothesis import strategies as st

from mefnet_jax.evaluation import spotting
from mefnet_jax.predict import event
from mefnet_jax.runs import errors
from tests.fixtures import sampled

FINITE = st.floats(0, 1e4, allow_nan=False)


@st.composite
def events(draw):
  onset, first = draw(FINITE), draw(st.integers(1, 10**6))
  apex, last = draw(FINITE), draw(st.integers(0, 1000))
  names = st.lists(st.sampled_from('abc'), unique=True)
  units = st.lists(st.sampled_from(['AU01', 'AU12', 'AU45']), unique=True)
  return event.Event(
    file=draw(st.text(min_size=1)),
    face=draw(st.integers(0, 99)),
    onset=onset,
    apex=apex,
    offset=onset + draw(FINITE),
    onset_frame=first,
    apex_frame=first + last // 2,
    offset_frame=first + last,
    label=draw(st.sampled_from(['', 'a', 'None', 'NA', 'nan'])),
    unsure=draw(st.booleans()),
    confidence=draw(FINITE),
    probabilities={name: draw(FINITE) for name in draw(names)},
    spread=draw(FINITE),
    intensity=draw(FINITE),
    units={name: event.Unit(*(draw(FINITE),) * 3) for name in draw(units)},
  )


@sampled.given(st.lists(events(), max_size=4), few=12, many=100)
def test_a_table_read_back_is_the_events(some):
  assert event.from_table(event.table(some)) == some


def test_a_table_may_have_been_a_file():
  some = [
    event.Event('a b.mp4', 1, 0.1, 0.2, 0.3, 4, 7, 10, label='surprise'),
    event.Event(
      'ü.mp4',
      *(2, 0.5, 0.7, 1.2, 16, 22, 37),
      unsure=True,
      unsure_rule='probability',
      confidence=0.5,
      probabilities={'surprise': 0.25},
      spread=0.5,
      intensity=0.125,
      units={'AU01': event.Unit(0.5, 0.25, -1.0)},
    ),
  ]
  read = pd.read_csv(io.StringIO(event.table(some).to_csv(index=False)))
  first, second = event.from_table(read)
  assert math.isnan(first.confidence) and first.probabilities == {}
  assert (first.label, first.kind) == ('surprise', 'micro')
  assert second == some[1] and second.kind == 'macro'


def test_without_events_the_columns_are_there():
  made = event.table([], classes=['a'], units=['AU02', 'AU01'])
  middle = list(event.COLUMNS)
  middle[-2:-2] = ['prob_a']
  ends = [f'AU0{n}_{end}' for n in (1, 2) for end in ('p', 'level', 'side')]
  assert list(made.columns) == middle + ends and event.from_table(made) == []


@pytest.mark.parametrize(
  'duration, kind', [(0.5, 'micro'), (0.1 + 0.4, 'micro'), (0.51, 'macro')]
)
def test_half_a_second_divides_micro_from_macro(duration, kind):
  assert spotting.kind(duration) == kind


def test_columns_of_frames_name_each_unit_twice():
  assert event.frame_columns([1, 12])[-4:] == (
    'AU01_c',
    'AU01_r',
    'AU12_c',
    'AU12_r',
  )


@pytest.mark.parametrize(
  'column, cell, said',
  [
    ('face', 'x', "row 2 of the events: invalid literal for int.*'x'"),
    ('onset', 'soon', 'row 2 of the events: could not convert'),
    ('unsure', 'maybe', "row 2 of the events: unsure is 'maybe'"),
  ],
)
def test_a_wrong_cell_is_named(column, cell, said):
  frame = event.table([event.Event('a', 1, 0, 0, 0, 1, 1, 1)]).astype(object)
  frame[column] = cell
  with pytest.raises(errors.UserError, match=said):
    event.from_table(frame)


def test_a_missing_column_is_named():
  frame = event.table([]).drop(columns=['apex'])
  with pytest.raises(errors.UserError, match='without apex'):
    event.from_table(frame)
