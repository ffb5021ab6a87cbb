"""What a ReLU leaves for attention, as a kernel's arrays, and clip by clip.

Axes: B clips, T frames, H rows, W columns of maps, D filters.
"""

from mefnet_jax.ops.cpu import arrays, compiled, memory, relu_rows


@compiled.inlined
def results(frame, at, n):
  """The eight arrays of `relu.results`, of which the first has number `at`."""
  return (
    arrays.floats(frame, at, n),
    arrays.octets(frame, at + 1, n),
    arrays.floats(frame, at + 2, n),
    arrays.floats(frame, at + 3, n),
    arrays.integers(frame, at + 4, n),
    arrays.floats(frame, at + 5, n),
    arrays.floats(frame, at + 6, n),
    arrays.integers(frame, at + 7, n),
  )


@compiled.inlined
def of_clip(made, p, b):
  """Maps, bits, numbers for each filter and numbers for each place of a clip.

  The last two as `relu_rows.write_clip` and `relu_rows.rectify_row` take them.
  """
  y, bits, mean, peak, place, map_mean, map_peak, first = made
  of_filters = (
    arrays.clip(mean, p, y, b),
    arrays.clip(peak, p, y, b),
    arrays.clip(place, p, y, b),
  )
  of_places = (
    arrays.clip(map_mean, p, y, b),
    arrays.clip(map_peak, p, y, b),
    arrays.clip(first, p, y, b),
  )
  maps = arrays.clip(y, p, y, b), arrays.clip(bits, p, y, b)
  return *maps, of_filters, of_places


@compiled.inlined
def leave_out(made, p, b):
  """Writes zeros for a clip whose results nobody reads."""
  y, bits, (mean, peak, place), (map_mean, map_peak, first) = of_clip(
    made, p, b
  )
  for numbers in (y, mean, peak, map_mean, map_peak):
    memory.fill(numbers, 0)
  for places in (place, first):
    memory.fill(places, 0)
  memory.fill(bits, 0)


@compiled.inlined
def gradients(frame, at, n):
  """Bits and places of `results`, and the gradients of the other five.

  In this order: bits, place, first, and the gradients of maps, mean, peak,
  map_mean and map_peak; the first array has number `at`.
  """
  return (
    arrays.octets(frame, at, n),
    arrays.integers(frame, at + 1, n),
    arrays.integers(frame, at + 2, n),
    arrays.floats(frame, at + 3, n),
    arrays.floats(frame, at + 4, n),
    arrays.floats(frame, at + 5, n),
    arrays.floats(frame, at + 6, n),
    arrays.floats(frame, at + 7, n),
  )


@compiled.inlined
def gradients_of_clip(given, p, result, b, filters, own):
  """What `relu_rows.mask_row` takes of a clip: g, bits, clip and maps.

  own: (width,) zeros; gets each filter's share of the gradient of its mean.
  """
  bits, place, first, g, to_mean, to_peak, to_map_mean, to_map_peak = given
  maps = (
    arrays.clip(to_map_mean, p, result, b),
    arrays.clip(to_map_peak, p, result, b),
    arrays.clip(first, p, result, b),
  )
  mean = arrays.clip(to_mean, p, result, b)
  relu_rows.scale_into(mean, 1 / len(maps[0]), own, filters)
  peak, at = (
    arrays.clip(to_peak, p, result, b),
    arrays.clip(place, p, result, b),
  )
  down = arrays.clip(g, p, result, b), arrays.clip(bits, p, result, b)
  return *down, (own, peak, at), maps
