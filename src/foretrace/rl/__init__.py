"""Reinforcement learning as in CWM (arXiv:2510.02387, section 5.2): one code path from a laptop to a cluster."""
