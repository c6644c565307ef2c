"""Repairs without a model: what could be wrong, in what order it is tried, and how trials are run in other worlds."""
