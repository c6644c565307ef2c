"""The transformer, its configuration, its folders in several forms, what it costs, and decoding with it."""
