"""The exceptions of allot, one class per kind of error in C++ (core/error.h).

A message reads: [where] what was given; what is needed. Hint: what to try.
"""


class Error(Exception):
    """Whatever allot refuses. `str(error)` says what was given and what is needed."""

    kind = "internal"


class ConfigError(Error, ValueError):
    """An option, a budget or a method that cannot be used."""

    kind = "config"


class DataError(Error, ValueError):
    """Prompts or outcomes of a wrong type, length or value."""

    kind = "data"


class ModelError(Error):
    """Saved state that is damaged, or belongs to another method, seed, version or data set."""

    kind = "model"


class SamplerError(Error):
    """An external sampler that failed."""

    kind = "sampler"


class InternalError(Error, RuntimeError):
    """A call out of order, an unknown or repeated rollout, a method that broke the contract."""

    kind = "internal"
