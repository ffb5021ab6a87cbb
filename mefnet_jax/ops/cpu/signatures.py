"""A notation for the arrays that a kernel takes; `call_frame` checks calls."""

import numpy as np

LETTERS = 16  # sizes with names in a signature, at most
_KINDS = 'fiuw'


def signature(text: str) -> np.ndarray:
  """Returns a signature in the form that `call_frame.check_call` reads.

  Args:
    text: for each array its type (f float32, i int32, u uint8, w a window of
      three int32) and its sizes, with the results after an arrow, such as
      'w fbTHW fijkd -> fb(T-i/0)(H-j/1)(W-k/2)d'. A letter is the same size
      everywhere, T-i stands for T - i + 1, /0 divides by the first size of
      the window, d* is the number of bytes with a bit for each of d filters,
      and an array of * alone has the sizes of the first result.

  Returns:
    int64: the numbers of operands and of results; for each array its type, its
    rank (-1: any) and for each size three numbers: a letter, or -1; a letter
    that is subtracted, or -1; an axis of the window, 3 for bytes of bits, or
    -1. Without a letter the third number is the size.
  """
  # Plain numbers, because a compiled handler cannot read Python objects.
  sides = [side.split() for side in text.split('->')]
  names: list[str] = []
  numbers = [len(side) for side in sides]
  for array in (array for side in sides for array in side):
    sizes = _split('3' if array == 'w' else array[1:])
    numbers += [_KINDS.index(array[0]), -1 if sizes == ['*'] else len(sizes)]
    for size in sizes if sizes != ['*'] else []:
      numbers += _size(size, names)
  return np.array(numbers, np.int64)


def _split(text):
  """'b(T-i/0)d*' as ['b', 'T-i/0', 'd*']."""
  found = []
  while text:
    if text[0] == '(':
      size, _, text = text[1:].partition(')')
    else:
      count = 2 if text[1:2] == '*' else 1
      size, text = text[:count], text[count:]
    found.append(size)
  return found


def _size(text, names):
  """The three numbers of a size; new letters are added to names."""
  if text.isdecimal():
    return [-1, -1, int(text)]

  def number(name):
    if name not in names:
      names.append(name)
    return names.index(name)

  if text.endswith('*'):
    return [number(text[0]), -1, 3]
  text, _, divisor = text.partition('/')
  first, _, off = text.partition('-')
  return [
    number(first),
    number(off) if off else -1,
    int(divisor) if divisor else -1,
  ]
