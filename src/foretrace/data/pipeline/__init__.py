"""From sources to a dataset of traces: one definition, run by processes of this machine or by a Ray cluster.

The way in is `foretrace.data.pipeline.make`. Nothing is imported here: the sandbox imports `job`, and forks once a subject,
which takes the longer the more was imported.
"""
