"""From traces to tokens: tokenizer, rendering, shards, loader, and the build of shards."""
