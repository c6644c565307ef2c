"""One pass of decoding by torch: sequences of any length through one model, each with a cache of its own.

    hidden = advance_together(model, fed, caches)             # (N, D), the sequences one after the other
    logits = model.logits(hidden[rows]).float()
    logprobs, margins = judge_on_device(logits, tokens)

N tokens of all sequences together, R rows of logits, V = vocab_size, D = hidden_size, H query heads, K key heads,
C = head_dim, T new tokens of one sequence.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from foretrace.model.decode import Cache, _attend, advance
from foretrace.model.transformer import Block, CausalLM, rotary_tables


def advance_together(model: CausalLM, fed: Sequence[Sequence[int]], caches: Sequence[Cache]) -> Tensor:
    """Feeds further tokens to each of some sequences, whatever their lengths.

    The matrices are shared. Attention is not: each sequence sees its own cache, which is extended.

    Returns:
        The last normalised hidden states (N, D), for `model.logits`.

    """
    device = model.model.embed_tokens.weight.device
    counts = [len(tokens) for tokens in fed]
    if max(counts) > min(cache.chunk for cache in caches):  # seldom: a grammar that forces a very long line
        pairs = zip(fed, caches, strict=True)
        return torch.cat([advance(model, torch.tensor([tokens], device=device), cache)[0] for tokens, cache in pairs])
    positions = [at for cache, count in zip(caches, counts, strict=True) for at in range(cache.length, cache.length + count)]
    rotary = rotary_tables(model.config, torch.tensor(positions, device=device))
    x: Tensor = model.model.embed_tokens(torch.tensor([token for tokens in fed for token in tokens], device=device))
    for number, block in enumerate(model.model.layers):
        assert isinstance(block, Block)
        # (H, T, C) and twice (K, T, C) of each sequence
        queries, keys, values = (torch.split(heads, counts, dim=1) for heads in block.before(x, *rotary))
        attended = []
        for cache, q, k, v in zip(caches, queries, keys, values, strict=True):
            layer = cache.layers[number]
            seen_keys, seen_values = layer.append(k[None], v[None])
            attended.append(_attend(q[None], seen_keys, seen_values, layer.window)[0])
        x = block.after(x, torch.cat(attended, dim=1))
    for cache, count in zip(caches, counts, strict=True):
        cache.length += count
    hidden: Tensor = model.model.norm(x)
    return hidden


def judge_on_device(logits: Tensor, tokens: Sequence[int]) -> tuple[list[float], list[float]]:
    """`sampling.judge` where the logits are: a row of a large vocabulary is not worth its way to the host.

    logits: (R, V), tokens: R; lists of R.
    """
    chosen = torch.tensor(tokens, device=logits.device)[:, None]
    own = logits.gather(-1, chosen)[:, 0]
    others = logits.scatter(-1, chosen, -torch.inf).amax(-1)
    return (own - logits.logsumexp(-1)).tolist(), (own - others).tolist()
