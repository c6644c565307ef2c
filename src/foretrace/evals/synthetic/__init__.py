"""What our own benchmarks are made of: programs from a seed, and what can be proved or measured of them."""
