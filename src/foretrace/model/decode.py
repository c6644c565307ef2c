"""Decoding with a cache of keys and values: each token is computed once, and sliding layers keep no more than their window.

    cache = Cache(model.config)
    hidden = advance(model, prompt[None], cache)                  # (1, T, D); long prompts go through in chunks
    logits = model.logits(hidden[:, -1])
    hidden = advance(model, logits.argmax(-1)[:, None], cache)    # (1, 1, D)
    cache.truncate(cache.length - 1)                              # takes the last token back

B sequences of equal length, T new tokens, D = hidden_size, H query heads, K key heads, C = head_dim, S positions in a cache.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from foretrace.errors import UsageError
from foretrace.model.config import SLIDING, ModelConfig
from foretrace.model.transformer import Block, CausalLM, rotary_tables


class Cache:
    """The keys and values of sequences of equal length, for all layers of a model.

    Args:
        config: of the model.
        chunk: tokens that are computed at a time; a sliding layer holds `sliding_window - 1 + chunk + rollback` positions.
        rollback: tokens that `truncate` can always take back, such as drafts that turn out wrong. Without, a sliding layer
            may have let go of what the token before would see.

    """

    def __init__(self, config: ModelConfig, chunk: int = 256, rollback: int = 0) -> None:
        self.length = 0
        """Tokens in each sequence so far."""
        self.chunk = chunk
        windows = (config.sliding_window if kind == SLIDING else None for kind in config.layer_types)
        self.layers = [LayerCache(window, chunk, rollback) for window in windows]

    def truncate(self, length: int) -> None:
        """Forgets all but the first `length` tokens.

        Raises:
            UsageError: there are fewer tokens, or a sliding layer no longer has what the next token would see.

        """
        if not 0 <= length <= self.length:
            raise UsageError(f"cannot truncate {self.length} tokens to {length}")
        for layer in self.layers:
            layer.check_truncation(length)
        for layer in self.layers:
            layer.end = min(layer.end, length)
        self.length = length

    def nbytes(self) -> int:
        """Bytes that are held."""
        return sum(layer.nbytes() for layer in self.layers)


class LayerCache:
    """Keys and values of one layer: positions `start` to `end` of each sequence, in order, in a buffer with room at its end.

    When the room is used up, a sliding layer moves what its window still needs to the front, and a global one gets a larger
    buffer. So what a query sees is always one slice.
    """

    def __init__(self, window: int | None, chunk: int, rollback: int) -> None:
        self.window = window
        self.start = self.end = 0
        self._chunk, self._rollback = chunk, rollback
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Takes in new positions: k, v (B, K, T, C) with T at most `chunk` -> all that any of them sees: (B, K, S, C)."""
        first = 0 if self.window is None else max(0, self.end - self.window + 1)
        keys, values = self._with_room(k, v)
        place = slice(self.end - self.start, self.end - self.start + k.shape[2])
        keys[:, :, place], values[:, :, place] = k, v
        self.end += k.shape[2]
        seen = slice(first - self.start, self.end - self.start)
        return keys[:, :, seen], values[:, :, seen]

    def check_truncation(self, length: int) -> None:
        """Raises UsageError if the token at position `length` would see a position that is gone."""
        if self.window is not None and length < self.end and max(0, length - self.window + 1) < self.start:
            kept = self.start + self.window - 1
            raise UsageError(
                f"a window of {self.window} can be truncated to {kept} tokens at least now; give the cache a rollback"
            )

    def nbytes(self) -> int:
        """Bytes of the buffers."""
        return 0 if self._keys is None else 2 * self._keys.nbytes

    def _with_room(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """The buffers, after making room for as many positions as k and v (B, K, T, C) have."""
        keys, values, count = self._keys, self._values, self.end - self.start
        if keys is None or values is None:
            keys = values = k.new_empty(0)
        elif count + k.shape[2] <= keys.shape[2]:
            return keys, values
        kept = count if self.window is None else min(count, self.window - 1 + self._rollback)
        if self.window is None:
            capacity = max(2 * count, count + k.shape[2], self._chunk)
        else:
            capacity = self.window - 1 + self._rollback + self._chunk
        self._keys, self._values = (
            _moved(old, new, slice(count - kept, count), capacity) for old, new in ((keys, k), (values, v))
        )
        self.start = self.end - kept
        return self._keys, self._values


def _moved(old: Tensor, like: Tensor, kept: slice, capacity: int) -> Tensor:
    """A buffer (B, K, capacity, C) that begins with a slice of the old one, which is used again if it is large enough."""
    if old.dim() == 1:
        return like.new_empty(*like.shape[:2], capacity, like.shape[3])
    if old.shape[2] == capacity:
        old[:, :, : kept.stop - kept.start] = old[:, :, kept].clone()
        return old
    fresh = old.new_empty(*old.shape[:2], capacity, old.shape[3])
    fresh[:, :, : kept.stop - kept.start] = old[:, :, kept]
    return fresh


@torch.no_grad()
def advance(model: CausalLM, tokens: Tensor, cache: Cache) -> Tensor:
    """Feeds T further tokens to each sequence.

    Args:
        model: its layers compute in the dtype of its parameters, or of autocast.
        tokens: (B, T) int64; B as in every other call with this cache.
        cache: is extended.

    Returns:
        The last normalised hidden states (B, T, D), for `model.logits`.

    Raises:
        UsageError: the sequence grows beyond what the model can tell apart.

    """
    limit = model.config.max_position_embeddings
    if cache.length + tokens.shape[1] > limit:
        raise UsageError(f"{cache.length + tokens.shape[1]} tokens are more than the {limit} positions of this model")
    starts = range(0, tokens.shape[1], cache.chunk)
    return torch.cat([_advance(model, tokens[:, start : start + cache.chunk], cache) for start in starts], dim=1)


def _advance(model: CausalLM, tokens: Tensor, cache: Cache) -> Tensor:
    batch, count = tokens.shape
    positions = torch.arange(cache.length, cache.length + count, device=tokens.device)
    rotary = rotary_tables(model.config, positions.repeat(batch))
    x: Tensor = model.model.embed_tokens(tokens.flatten())
    for block, layer in zip(model.model.layers, cache.layers, strict=True):
        assert isinstance(block, Block)
        q, k, v = (heads.view(-1, batch, count, heads.shape[-1]).transpose(0, 1) for heads in block.before(x, *rotary))
        attended = _attend(q, *layer.append(k, v), layer.window)
        x = block.after(x, attended.transpose(0, 1).flatten(1, 2))
    cache.length += count
    hidden: Tensor = model.model.norm(x)
    return hidden.view(batch, count, -1)


def _attend(q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
    """Queries (B, H, T, C) are the last T of the S positions of keys and values (B, K, S, C) -> (B, H, T, C).

    The H / K heads that share keys become rows of one matrix, so that keys are never repeated in memory.
    """
    batch, heads, count, size = q.shape
    shared = heads // k.shape[1]
    mask = _mask(count, k.shape[2], window, q.device).repeat(shared, 1) if count > 1 else None
    rows = q.reshape(batch, k.shape[1], shared * count, size)
    return F.scaled_dot_product_attention(rows, k, v, attn_mask=mask).reshape(batch, heads, count, size)


def _mask(count: int, seen: int, window: int | None, device: torch.device) -> Tensor:
    """(T, S) bool: the last T of S positions see themselves and those before them, up to `window` in all."""
    age = torch.arange(seen - count, seen, device=device)[:, None] - torch.arange(seen, device=device)
    return (age >= 0) if window is None else (age >= 0) & (age < window)
