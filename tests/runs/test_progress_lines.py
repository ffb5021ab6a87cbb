"""In a log a loop says that it began, how far it is and what is left."""

import re

from mefnet_jax.runs import progress_lines


def test_a_log_has_a_line_at_the_beginning_and_about_eight_more(capsys):
  done = list(progress_lines.over(range(164), 'Preparing clips', 164))
  assert done == list(range(164))
  first, *lines = capsys.readouterr().err.splitlines()
  assert first == 'Preparing clips ...'
  counts = [int(re.search(r'(\d+)/164', line)[1]) for line in lines]
  assert counts == sorted(counts) and counts[-1] == 164
  assert 7 <= len(lines) <= 9
  assert all('s left' in line for line in lines[:-1])
  assert 'left' not in lines[-1]


def test_a_loop_of_unknown_length_begins_with_a_line(capsys):
  with progress_lines.Progress() as shown:
    task = shown.add_task('Making a release', total=None)
    shown.update(task, completed=1, total=4)
    shown.update(task, completed=4, total=4)
  lines = capsys.readouterr().err.splitlines()
  assert lines[0] == 'Making a release ...'
  assert lines[-1].startswith('Making a release 4/4')
