"""One strict reader: every row has the cells that the header names."""

import pytest

from mefnet_jax.evaluation import folds_file
from mefnet_jax.runs import csv_table, errors, files, predictions
from tests import house


def table(folder, text):
  path = folder / 'a.csv'
  path.write_bytes(text.encode())
  return path


def test_only_a_newline_or_a_return_ends_a_row(tmp_path):
  odd = 'x\x0by\x85z\u2028w'
  path = table(tmp_path, f'a,b\r\n1,{odd}\r\n"2\n3",4\r\n')
  _, rows = csv_table.read(path)
  assert rows == [(2, {'a': '1', 'b': odd}), (3, {'a': '2\n3', 'b': '4'})]


def test_rows_are_numbered_as_in_a_spreadsheet(tmp_path):
  _, rows = csv_table.read(table(tmp_path, 'a,b\n1,2\n,\n\n3,4\n'))
  assert [number for number, _ in rows] == [2, 5]


def test_empty_columns_at_the_end_are_no_cells(tmp_path):
  head, rows = csv_table.read(table(tmp_path, 'a,b,,\n1,2,,\n'))
  assert head == ['a', 'b'] and rows == [(2, {'a': '1', 'b': '2'})]


@pytest.mark.parametrize(
  ('text', 'why'),
  [
    ('path,subject,label,subject\n1,2,3,4\n', 'doubled column subject'),
    ('a,b\n1,2\n1,2,3\n', 'row 3 has not 2 cells'),
    ('a,b\n1\n', 'row 2 has not 2 cells'),
    ('a,b,\n1,2,3\n', 'row 2 has not 2 cells'),
    ('a\n1\n', 'no column b'),
    ('', 'an empty file'),
    ('\na,b\n1,2\n', 'its first line is empty'),
    ('a\0,\0b\0', 'of another encoding'),
    ('a,b\n1,"2\n', 'cannot be read'),
    ('a;b\n1;2\n', '";" stands between its cells'),
    ('a,b\n1,2\na,b\n3,4\n', 'row 3 repeats the header'),
  ],
)
def test_what_is_no_table_is_refused(tmp_path, text, why):
  path = table(tmp_path, text)
  with pytest.raises(errors.UserError, match=why) as said:
    csv_table.read(path, ['a', 'b'] if 'path' not in text else ['path'])
  assert str(path) in str(said.value)


def test_a_file_that_may_not_be_read_is_of_no_wrong_encoding(tmp_path):
  with pytest.raises(errors.UserError, match='No such file') as said:
    csv_table.read(tmp_path / 'a.csv')
  assert 'UTF-8' not in str(said.value)


def test_a_clip_of_two_people_in_one_fold_is_refused(tmp_path):
  rows = 'c,s1,f,test\nc,s1,f,test\nc,s2,{},test\n'
  head = 'clip,subject,fold,role\n'
  # In two folds it is evidence, which the audit judges.
  assert folds_file.read(table(tmp_path, head + rows.format('g')))
  with pytest.raises(errors.UserError, match='row 4: another subject for c'):
    folds_file.read(table(tmp_path, head + rows.format('f')))


def test_all_readers_of_a_run_are_that_one(tmp_path):
  text = 'clip,subject,fold,label,predicted,role\na,b,c,d,d,test,more\n'
  for read in (predictions.read, folds_file.read):
    with pytest.raises(errors.UserError, match='row 2 has not 6 cells'):
      read(table(tmp_path, text))


def test_a_clip_that_differs_by_a_space_is_not_scored_twice(tmp_path):
  text = 'clip,subject,fold,label,predicted\na,b,c,d,d\n a,b,c,d,d\n'
  with pytest.raises(errors.UserError, match='doubled clip: a'):
    predictions.read(table(tmp_path, text))


def test_a_table_of_ours_can_be_read_row_by_row(tmp_path):
  path, rows = tmp_path / 'a.csv', [('=x', '1'), ('y\nz', '')]
  files.write_csv(path, ('a', 'b'), rows)
  expected = [{'a': a, 'b': b} for a, b in rows]
  assert list(csv_table.stream(path)) == expected


def test_nothing_else_reads_csv():
  """`files` writes it."""
  using = {p.name for p in house.FILES if 'csv' in house.imported(p)}
  assert using == {'csv_table.py', 'files.py'}
