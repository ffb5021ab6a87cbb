"""Tables of spotting, as different people write them."""

import pytest

from mefnet_jax.evaluation import spotting, spotting_rows, spotting_tables
from mefnet_jax.runs import errors


def table(tmp_path, name, text, unit='auto'):
  path = tmp_path / f'{name}.csv'
  path.write_text(text)
  return spotting_tables.read(path, unit)


def both(tmp_path, truth, events, **options):
  return spotting_rows.intervals(
    table(tmp_path, 'truth', truth),
    table(tmp_path, 'events', events),
    **options,
  )


ONE = spotting.Interval('1', 'ep02_01f', 45, 85, 'micro', 'happiness')


@pytest.mark.parametrize(
  'text',
  [
    'subject,video,onset,offset,emotion\n1,EP02_01f,45,85,happiness\n',
    'Sub;Filename;OnsetFrame;OffsetFrame;Estimated Emotion\n'
    '01;data/EP02_01f.avi;45;85.0;Happiness\n',
    'vid\tsub\tpred_onset\tpred_offset\ttype\tlabel\n'
    'EP02_01f.mp4\t1\t45\t85\tme\thappiness\n',
    'video,participant,start,end,kind,class,fps\n'
    'EP02_01f,1,45,85,micro-expression,happiness,200\n',
    'file,face,onset,apex,offset,onset_frame,offset_frame,class,subject\n'
    'EP02_01f.mp4,0,0.22,0.3,0.42,45,85,happiness,1\n',
  ],
)
def test_one_interval_in_the_words_of_several_people(text, tmp_path):
  (own,), (said,), frames = both(tmp_path, text, text, fps=200)
  assert frames and own == said == ONE


def test_seconds_become_frames_where_the_other_table_has_frames(tmp_path):
  truth = 'video,onset,offset\nv,30,45\n'
  events = 'video,onset,offset\nv,1.0,1.51\n'
  (own,), (said,), frames = both(tmp_path, truth, events, fps=30)
  assert frames and said == spotting.Interval('v', 'v', 30, 45, 'macro')
  assert own.kind == 'micro'  # 15 frames of 30 a second
  with pytest.raises(
    errors.UserError, match='in seconds .* in frames: set --fps'
  ):
    both(tmp_path, truth, events)


def test_seconds_stay_seconds_where_both_tables_have_them(tmp_path):
  text = 'video,onset,offset,onset_frame,offset_frame\nv,1.5,2.5,46,76\n'
  plain = 'video,onset,offset\nv,1.25,2.5\n'
  (own,), (said,), frames = both(tmp_path, plain, text)
  assert not frames and own[2:4] == (1.25, 2.5) and said[2:4] == (1.5, 2.5)


def test_whole_seconds_can_be_said_to_be_seconds(tmp_path):
  found = table(tmp_path, 't', 'video,onset,offset\nv,1,2\n', 'seconds')
  assert found.units == ('seconds',)


def test_subjects_come_from_the_other_table_or_are_the_videos(tmp_path):
  truth = 'subject,video,onset,offset\ns01,a,1,9\ns02,b,1,9\n'
  events = 'video,onset,offset\na,1,9\nc,1,9\n'
  _, said, _ = both(tmp_path, truth, events)
  assert [one.subject for one in said] == ['s1', 'c']


def test_a_video_of_two_subjects_needs_the_subject(tmp_path):
  truth = 'subject,video,onset,offset\ns1,a,1,9\ns2,a,1,9\n'
  with pytest.raises(errors.UserError, match='row 2: video a is of 2 subjects'):
    both(tmp_path, truth, 'video,onset,offset\na,1,9\n')


def test_an_event_that_says_that_it_is_unsure_has_no_class(tmp_path):
  text = 'video,onset,offset,label,unsure\nv,1,9,a,True\nv,11,19,a,False\n'
  own, _, _ = both(tmp_path, text, text)
  assert [one.label for one in own] == ['', 'a']


def test_unsure_is_no_class_and_unknown_kinds_stay_unknown(tmp_path):
  text = 'video,onset,offset,label\nv,1,9,unsure\n'
  ((one,), _, _) = both(tmp_path, text, text)
  assert (one.label, one.kind) == ('', '')


@pytest.mark.parametrize(
  'text, said',
  [
    ('video,onset\nv,1\n', 'no column for the offset: call it offset or end'),
    ('onset,offset\n1,2\n', 'no column for the video: call it video or vid'),
    ('video,a,b\nv,1,2\n', 'no column for the onset: call it onset or start'),
    ('video,onset,offset\nv,9,5\n', 'row 2: it ends at 5, before it begins'),
    ('video,onset,offset\nv,x,5\n', "row 2: onset is 'x', not a number"),
    ('video,onset,offset\nv,-1,5\n', "row 2: onset is '-1', not a number"),
    ('video,onset,offset\nv,1,nan\n', "row 2: offset is 'nan', not a number"),
    ('video,onset,offset,type\nv,1,5,long\n', "row 2: 'long' is neither micro"),
    ('video,onset,offset,fps\nv,1,5,0\n', 'row 2: 0 frames per second'),
    ('video,onset_frame,offset_frame\nv,1.5,5\n', 'row 2: a frame is a whole'),
    ('video,onset,offset\nv,1\n', 'row 2 has not 3 cells'),
    ('video,onset,offset\nv,1,5\nv.mp4,1,5\n', 'row 3: the same as row 2'),
  ],
)
def test_a_mistake_is_one_line(text, said, tmp_path):
  with pytest.raises(errors.UserError, match=f'truth.csv: .*{said}') as caught:
    both(tmp_path, text, 'video,onset,offset\nv,1,9\n')
  assert '\n' not in str(caught.value)


def test_videos_whose_zeros_were_dropped_are_no_missed_events(tmp_path):
  """They would be missed, and their events would be false."""
  head = 'video,onset,offset\n'
  truth = f'{head}01,1,5\n10,1,5\n'
  said = 'events.csv: video 1 is 01 in .*truth.csv: use the same'
  with pytest.raises(errors.UserError, match=said):
    both(tmp_path, truth, f'{head}10,1,5\n1,1,5\n')
  # One more video, of which no truth is known, is no mistake.
  _, found, _ = both(tmp_path, truth, f'{head}01,1,5\nnew,1,5\n')
  assert len(found) == 2


def test_a_frame_before_the_first_is_said_as_such(tmp_path):
  head = 'video,onset,offset\n'
  with pytest.raises(errors.UserError, match="'-5', not a number of at least"):
    both(tmp_path, f'{head}v,1,5\n', f'{head}v,-5,5\n')
