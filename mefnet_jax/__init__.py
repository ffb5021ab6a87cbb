"""MEFNet in JAX: micro-expression recognition whose numbers are believed."""

__version__ = '0.1.0'
