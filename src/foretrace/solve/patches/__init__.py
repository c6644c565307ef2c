"""Choosing one of many patches of a repository: existing tests, generated tests, the majority, the shortest."""
