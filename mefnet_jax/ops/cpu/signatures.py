"""The arrays that a kernel takes, written down: `frames` compares with them."""

import numpy as np

# Of sizes with names in a signature, at most.
LETTERS = 16
_KINDS = 'fiuw'


def signature(text: str) -> np.ndarray:
  """The arrays of a kernel as `frames.opened` reads them.

  Args:
    text: for each array its type (f float32, i int32, u uint8, w a window of
      three int32) and its sizes, results behind an arrow, such as
      'w fbTHW fijkd -> fb(T-i/0)(H-j/1)(W-k/2)d'. A letter is the same size
      everywhere, T-i stands for T - i + 1, /0 divides by the first size of
      the window, d* are the bytes with a bit for each of d filters, and an
      array of * alone has the sizes of the first result.

  Returns:
    The numbers of operands and of results; for each array its type, its rank
    (-1: any) and for each size three numbers: a letter, or -1; a letter taken
    off, or -1; an axis of the window, 3 for bytes of bits, or -1. Without a
    letter the third number is the size.
  """
  sides = [side.split() for side in text.split('->')]
  names: list[str] = []
  made = [len(side) for side in sides]
  for array in (array for side in sides for array in side):
    sizes = _split('3' if array == 'w' else array[1:])
    made += [_KINDS.index(array[0]), -1 if sizes == ['*'] else len(sizes)]
    for size in sizes if sizes != ['*'] else []:
      made += _size(size, names)
  return np.array(made, np.int64)


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
