"""Adam with Keras's decay, as the paper trains."""

import optax


def adam(learning_rate: float, decay: float) -> optax.GradientTransformation:
  """Adam whose rate at a step is learning_rate / (1 + decay * step).

  That is what `decay` means in Keras, where the paper's 1e-5 comes from; it
  is not a weight decay. Epsilon is Keras's too.
  """

  def rate(step):
    return learning_rate / (1.0 + decay * step)

  return optax.adam(rate, eps=1e-7)
