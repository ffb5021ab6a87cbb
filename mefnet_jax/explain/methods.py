"""Saliency methods by name, applied to held-out clips of a run."""

import jax
import numpy as np

from mefnet_jax import ops, saliency
from mefnet_jax.explain import face_regions, jobs, networks, runs
from mefnet_jax.runs import errors, progress_lines

STEPS = 32  # steps of integrated gradients, and samples of SmoothGrad
NAMES = (
  'gradient',
  'gradient_x_input',
  'smooth_grad',
  'integrated_gradients',
  'grad_cam',
  'occlusion',
  'regions',
  'attention',
)
# Methods whose maps also show evidence against the target.
SIGNED = ('gradient', 'gradient_x_input', 'smooth_grad', 'integrated_gradients')
_APART = ('smooth_grad', 'integrated_gradients')  # use a network's parts


def explain(
  run: runs.Run,
  index: np.ndarray,
  target: np.ndarray,
  names: tuple[str, ...],
  *,
  layer: str = '',
  faces: list[face_regions.Face] | None = None,
) -> dict[str, dict[str, np.ndarray]]:
  """Computes the maps of some clips: method -> stream -> (n, T, H, W) float32.

  Args:
    run: a finished run.
    index: (n,) clips; each is explained by the fold that held it out.
    target: (n,) classes whose scores are explained.
    names: names of the methods; 'regions' needs `faces`.
    layer: name of a layer in `out`, for Grad-CAM; by default the last layer of
      each stream that has positions.
    faces: the parts of each clip's face.

  Raises:
    UserError: a method or the layer does not exist.
  """
  check(names)
  results, maps_made = {}, 0
  apart = any(name in _APART for name in names)
  batches = jobs.make_jobs(run, index, target, layer, faces, apart)
  with progress_lines.Progress() as shown:
    title = f'Explaining clips, {len(names)} method(s)'
    task = shown.add_task(title, total=len(index))
    for at, job in batches:
      for name in names:
        for stream, maps in _METHODS[name](job).items():
          streams = results.setdefault(name, {})
          shape = (len(index), *maps.shape[1:])
          streams.setdefault(stream, np.zeros(shape, np.float32))[at] = maps
        maps_made += len(set(at.tolist()))
        shown.update(task, completed=maps_made / len(names))
  return results


def attention(run: runs.Run, index: np.ndarray) -> dict[str, np.ndarray]:
  """Returns the network's own attention: channel weights (n, C) and maps.

  That is every output whose name contains 'attention', by its name.
  """
  attention = {}
  apply = networks.whole(run.model.network)
  for fold in np.unique(run.held_out[index]):
    at = np.flatnonzero(run.held_out[index] == fold)
    out = networks.named_outputs(apply, run.views(index[at]), run.weights(fold))
    for name, a in out.items():
      if 'attention' in name:
        shape = (len(index), *a.shape[1:])
        attention.setdefault(name, np.zeros(shape, np.float32))[at] = a
  return attention


def check(names: tuple[str, ...]) -> None:
  """Raises UserError if a method does not exist."""
  for name in names:
    if name not in NAMES:
      raise errors.UserError(
        f'--methods={name}: choose from {", ".join(NAMES)}'
      )


def _gradient(job):
  f = job.parts.apply
  return _summed(saliency.gradient(f, job.x, job.target, **job.options))


def _gradient_x_input(job):
  f = job.parts.apply
  maps = saliency.gradient_x_input(f, job.x, job.target, **job.options)
  return _summed(maps)


def _smooth_grad(job):
  return _summed(
    networks.smooth_grad(
      job.parts,
      job.x,
      job.target,
      *job.args,
      samples=STEPS,
      key=jax.random.key(0),  # the same maps each time
      rows=jobs.ROWS,
    )
  )


def _integrated_gradients(job):
  return _summed(
    networks.integrated_gradients(
      job.parts, job.x, job.target, *job.args, steps=STEPS, rows=jobs.ROWS
    )
  )


def _summed(maps):
  """Maps (n, T, H, W), summed over the channels."""
  return {name: np.asarray(a).sum(-1) for name, a in maps.items()}


def _grad_cam(job):
  # A layer inside a loop over clips cannot be cut out of it; over a single
  # clip there is no loop.
  rows = 1 if ops.one_by_one(jobs.ROWS) else jobs.ROWS
  made = {}
  for stream, layer in _cam_layers(job).items():
    try:
      made[stream] = np.asarray(
        saliency.grad_cam(
          job.parts.apply,
          job.x,
          layer,
          job.target,
          shape=job.x[stream].shape[1:-1],
          **{**job.options, 'rows': rows},
        )
      )
    except ValueError as error:
      raise errors.UserError(f'--layer={layer}: {error}') from error
  return made


def _cam_layers(job):
  """The layer of each stream: the requested one, or the last that is 3D."""
  shapes = job.layer_shapes()
  if job.layer:
    stream = job.stream_of(job.layer)
    if stream is None and job.layer in shapes:
      raise errors.UserError(
        f'--layer={job.layer}: it does not belong to one stream: choose from '
        + ', '.join(name for name in shapes if job.stream_of(name))
      )
    return {stream or next(iter(job.x)): job.layer}
  layers = {}
  for name, a in shapes.items():
    # A map of one channel is a weight, not evidence.
    if a.ndim == 5 and a.shape[-1] > 1 and 'attention' not in name:
      if stream := job.stream_of(name):
        layers[stream] = name  # later layers replace earlier ones
  return layers


def _occlusion(job):
  """Occlusion by boxes of a third of the time and a quarter of the side."""
  made = {}
  for stream, x in job.x.items():
    size = [max(1, x.shape[1] // 3), *(max(2, n // 4) for n in x.shape[2:4])]
    # Overlapping in space, where a box may cut a feature in two.
    stride = [size[0], *(max(1, n // 2) for n in size[1:])]
    boxes = saliency.boxes((*x.shape[1:4], 1), (*size, 1), (*stride, 1))
    falls = _fall(job, {stream: boxes}, len(boxes))
    made[stream] = saliency.spread(falls, boxes)[..., 0]
  return made


def _regions(job):
  """Occlusion of each part of the face, in all streams and frames at once."""
  count = len(face_regions.REGIONS)
  masks = {}
  for stream, x in job.x.items():
    label = np.stack([f.labels(stream, x.shape[2:4]) for f in job.faces])
    masks[stream] = np.stack([label == r for r in range(count)], 1)[
      :, :, None, ..., None
    ].astype(np.float32)
  falls = _fall(job, masks, count)
  # A region's fall is spread over its pixels in all streams; its sum is kept.
  sizes = sum(
    mask.sum((2, 3, 4, 5)) * job.x[stream].shape[1]
    for stream, mask in masks.items()
  )
  # Large regions do not get stronger maps only because they are large.
  density = falls / np.maximum(sizes, 1)
  made = {}
  for stream, mask in masks.items():
    maps = np.einsum('nr,nrhw->nhw', density, mask[:, :, 0, ..., 0])
    frames = job.x[stream].shape[1]
    made[stream] = np.repeat(maps[:, None], frames, 1).astype(np.float32)
  return made


def _fall(job, masks, count):
  """Falls (n, M) of the score; streams without masks are left unchanged."""
  whole = {
    stream: masks.get(stream, np.zeros((count, 1, 1, 1, 1), np.float32))
    for stream in job.x
  }
  return np.asarray(
    saliency.occlusion(job.parts.apply, job.x, whole, job.target, **job.options)
  )


def _attention(job):
  """The network's own attention maps, resized to the clips."""
  resized = {}
  out = networks.named_outputs(job.parts.apply, job.x, *job.args)
  for name, maps in out.items():
    stream = job.stream_of(name)
    if 'attention' not in name or maps.ndim != 5 or not stream:
      continue
    shape = (len(maps), *job.x[stream].shape[1:4])
    resized[stream] = np.asarray(
      jax.image.resize(maps[..., 0], shape, 'linear')
    )
  return resized


_METHODS = {
  'gradient': _gradient,
  'gradient_x_input': _gradient_x_input,
  'smooth_grad': _smooth_grad,
  'integrated_gradients': _integrated_gradients,
  'grad_cam': _grad_cam,
  'occlusion': _occlusion,
  'regions': _regions,
  'attention': _attention,
}
