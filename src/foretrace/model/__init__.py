"""The transformer, its configuration and its checkpoint folders."""
