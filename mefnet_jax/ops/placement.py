"""How a step's arrays reach it, for kernels that work in place."""

import contextvars

# Whether what is traced runs under a pmap that splits its state.
under_pmap: contextvars.ContextVar[bool] = contextvars.ContextVar(
  'under_pmap', default=False
)
