"""Mutations: small mistakes of CWM's kinds, made in code that tests check."""
