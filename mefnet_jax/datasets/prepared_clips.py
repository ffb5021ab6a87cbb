"""Prepared clips of a release, as a run takes them."""

import dataclasses

import numpy as np

from mefnet_jax.datasets import streaming
from mefnet_jax.runs import findings


@dataclasses.dataclass(frozen=True)
class Clips:
  """All clips of a release, in an order that follows from their ids.

  Attributes:
    streams: 'face', 'eyes', 'mouth', and 'flow', 'eyes_flow', 'mouth_flow' if
      asked for: (N, T, H, W, C) uint8, in memory or `streaming.Stream`.
    label: (N,) int32, indices into `classes`.
    classes: names of the classes that have a clip.
    clip: N unique ids.
    subject: N subjects.
    database: N names of the databases of origin, empty where there is one.
    synthetic: whether no real person is in it.
    findings: what was found, repaired and left out.
    fingerprint: equal for equal clips.
    corrected_from: N names of the models whose answers the annotators saw,
      empty where they saw none; () if no clip has one.
  """

  streams: dict[str, np.ndarray | streaming.Stream]
  label: np.ndarray
  classes: tuple[str, ...]
  clip: tuple[str, ...]
  subject: tuple[str, ...]
  database: tuple[str, ...]
  synthetic: bool
  findings: tuple[findings.Finding, ...]
  fingerprint: str
  corrected_from: tuple[str, ...] = ()
