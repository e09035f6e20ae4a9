"""A software company of language-model agents that builds, runs and proves software."""

__version__ = "0.1.0"
