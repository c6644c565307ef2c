"""Prediction by torch: checkpoint folders of any size, on a GPU or on the CPU, in the dtype that is asked for.

    engine = TorchEngine.load(Path("cwm"), dtype="bfloat16", device="cuda")

Sequences of any length go through the matrices together, each with a cache of its own. Drafts are verified in one pass: a
token is kept only if it is the one that would have been chosen without. Caches are kept for what is asked next.

What is guaranteed: every token is chosen from the logits that the model gives for exactly the tokens before it, and sampling
draws by sequence and position. What is not: logits are sums, and torch may order them differently for another number of
rows. So with drafts, in another batch or after a reused prefix they can differ in their last bits, and where two tokens are
as likely up to these bits, the other one may be chosen. In float32 that is rare, in bfloat16 it is not.
"""

import threading
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from foretrace.data.tokenizer import Tokenizer
from foretrace.engine.decoding import Decoding, decodings
from foretrace.engine.sampling import Sampler
from foretrace.engine.torch_decoding import advance_together, judge_on_device
from foretrace.engine.types import Drafter, Generation, Grammar, check_prompts
from foretrace.errors import CheckpointError, UsageError
from foretrace.model.decode import Cache
from foretrace.model.loading import load_model, to_torch
from foretrace.model.meta import PARAMS, load_meta
from foretrace.model.transformer import CausalLM

BATCH = 32
"""Sequences that are decoded together."""
CHUNK = 256
"""Tokens of a prompt that are computed at a time."""
DRAFT = 16
"""Tokens that are drafted for one sequence, at most."""
ROLLBACK = 256
"""Tokens that sliding layers can always take back, so that to step back computes nothing again."""
KEPT = 4
"""Caches that are kept for what is asked next, if they take no more than `KEPT_BYTES` together."""
KEPT_BYTES = 4 << 30
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class TorchEngine:
    """Greedy and sampled decoding of a model of torch. Threads may share one: it does one thing after the other."""

    def __init__(self, model: CausalLM, tokenizer: Tokenizer, name: str) -> None:
        if tokenizer.vocab_size != model.config.vocab_size:
            what = f"the tokenizer has {tokenizer.vocab_size} ids, the model {model.config.vocab_size}"
            raise CheckpointError(f"{name} mixes files of two checkpoints: {what}")
        self.model = model
        self._tokenizer, self._name = tokenizer, name
        self._kept: list[tuple[list[int], Cache]] = []
        """What was fed, and its cache; the last used first."""
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls, folder: Path, *, name: str | None = None, dtype: str | None = None, device: str | None = None
    ) -> "TorchEngine":
        """The engine of a checkpoint folder of Hugging Face's layout (`CwmForCausalLM`) or of Meta's release.

        Args:
            folder: with the weights and the tokenizer.
            name: what the user calls it; None: the folder.
            dtype: `float32`, `float16` or `bfloat16`; None: float32 on a CPU, elsewhere as the weights are stored.
            device: as torch names it; None: a GPU if there is one.

        Raises:
            UsageError: there is no such dtype or device.
            CheckpointError: the folder is incomplete or damaged, or not one model's.

        """
        place = _device(device)
        if dtype is not None and dtype not in DTYPES:
            raise UsageError(f"no dtype {dtype!r}; there are: {', '.join(DTYPES)}")
        wanted = DTYPES[dtype] if dtype else torch.float32 if place.type == "cpu" else None
        if (folder / PARAMS).is_file():
            config, tensors = load_meta(folder)
            with torch.device("meta"):
                model = CausalLM(config)
            model.load_state_dict({n: to_torch(t, wanted, place) for n, t in tensors.items()}, assign=True)
        else:
            model = load_model(folder, wanted, place)
        return cls(model.requires_grad_(False), Tokenizer.load(folder), name or str(folder))

    @property
    def name(self) -> str:
        """What the user called it."""
        return self._name

    @property
    def context_length(self) -> int:
        """Tokens of prompt and continuation together."""
        return self.model.config.max_position_embeddings

    @property
    def tokenizer(self) -> Tokenizer:
        """The checkpoint's tokenizer."""
        return self._tokenizer

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Collection[int] = (),
        grammars: Sequence[Grammar] | None = None,
        drafters: Sequence[Drafter] | None = None,
    ) -> list[Generation]:
        """Continues every prompt, greedily at temperature 0; see the top of this module for what is guaranteed.

        Raises:
            UsageError: a prompt is empty.

        """
        check_prompts(prompts)
        sampler = Sampler(temperature, top_p, seed)
        sequences = decodings(
            prompts,
            max_tokens=max_tokens,
            context=self.context_length,
            sampler=sampler,
            stop=stop,
            grammars=grammars,
            drafters=drafters,
        )
        with self._lock, torch.no_grad():
            self._decode([s for s in sequences if not s.finish], needs_logits=not sampler.is_greedy or grammars is not None)
        return [sequence.generation() for sequence in sequences]

    def predict_next(self, ids: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The likeliest next token (T,) and the log probability (T - 1,) of each actual one."""
        with self._lock, torch.no_grad():
            return self._predict_next(ids)

    def _predict_next(self, ids: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        cache = Cache(self.model.config, CHUNK)
        best, logprobs = [], []
        for start in range(0, len(ids), CHUNK):
            hidden = advance_together(self.model, [list(ids[start : start + CHUNK])], [cache])
            logits = self.model.logits(hidden).float()
            best.append(logits.argmax(-1))
            actual = torch.tensor(ids[start + 1 : start + 1 + CHUNK], dtype=torch.int64, device=logits.device)
            rows = logits[: len(actual)]
            logprobs.append(rows.gather(-1, actual[:, None])[:, 0] - rows.logsumexp(-1))
        return torch.cat(best).cpu().numpy(), torch.cat(logprobs).cpu().numpy()

    def top_next(self, ids: Sequence[int], count: int) -> list[tuple[int, float]]:
        """The likeliest next tokens and their log probabilities, at most `count`.

        Raises:
            UsageError: there are no ids, or more than the context holds.

        """
        check_prompts([ids], self.context_length)
        with self._lock, torch.no_grad():
            cache = self._begun(ids)
            hidden = advance_together(self.model, [ids[cache.length :]], [cache])
            self._keep([(list(ids), cache)])
            logprobs = self.model.logits(hidden[-1:])[0].float().log_softmax(-1)
            values, indices = logprobs.topk(min(count, len(logprobs)))
            return list(zip(indices.tolist(), values.tolist(), strict=True))

    def _decode(self, sequences: list[Decoding], *, needs_logits: bool) -> None:
        """Works through sequences; one that has ended makes room for the next."""
        waiting = sorted(sequences, key=lambda s: len(s.ids))  # long ones first, so that the last to end began early
        active: list[tuple[Decoding, Cache]] = []
        while waiting or active:
            while waiting and len(active) < BATCH:
                sequence = waiting.pop()
                active.append((sequence, self._begun(sequence.ids)))
            self._step(active, needs_logits)
            self._keep([(sequence.ids, cache) for sequence, cache in active if sequence.finish])
            active = [(sequence, cache) for sequence, cache in active if not sequence.finish]

    def _step(self, active: list[tuple[Decoding, Cache]], needs_logits: bool) -> None:
        """Feeds each sequence what it lacks and a draft; it takes as many tokens as the draft was right, and one more."""
        fed = [sequence.feed(cache.length, DRAFT) for sequence, cache in active]
        hidden = advance_together(self.model, fed, [cache for _, cache in active])
        ends = np.cumsum([len(tokens) for tokens in fed]).tolist()
        wanted = [at for (s, _), end in zip(active, ends, strict=True) for at in range(end - 1 - len(s.draft), end)]
        logits = self.model.logits(hidden[torch.tensor(wanted, device=hidden.device)]).float()
        best = logits.argmax(-1).tolist()
        # greedy decoding without a grammar looks at none of the logits themselves: they stay where they are
        rows = logits.cpu().numpy() if needs_logits else np.broadcast_to(np.float32(np.nan), logits.shape)
        chosen: list[list[int]] = []
        taken: list[int] = []
        first = 0
        for sequence, cache in active:
            last = first + 1 + len(sequence.draft)
            chosen.append(sequence.take(best[first:last], rows[first:last]))
            taken += range(first, first + len(chosen[-1]))
            cache.truncate(len(sequence.ids) - 1)  # without what was drafted wrongly
            first = last
        accepted = logits[torch.tensor(taken, device=logits.device)]
        logprobs, margins = map(iter, judge_on_device(accepted, [token for tokens in chosen for token in tokens]))
        for (sequence, _), tokens in zip(active, chosen, strict=True):
            sequence.judged(list(islice(logprobs, len(tokens))), list(islice(margins, len(tokens))))

    def _begun(self, ids: Sequence[int]) -> Cache:
        """A cache that holds a beginning of `ids`, never all, and lacks no more than goes through at once with a draft."""
        cache = self._cache_for(list(ids))
        while len(ids) - cache.length > CHUNK - DRAFT:
            start = cache.length
            advance_together(self.model, [ids[start : min(start + CHUNK, len(ids) - 1)]], [cache])
        return cache

    def _cache_for(self, ids: list[int]) -> Cache:
        """A cache that holds a beginning of `ids`, never all of it: the best of those kept, or an empty one."""
        best, length = None, 0
        for kept in self._kept:
            common = min(_common(kept[0][: kept[1].length], ids), len(ids) - 1)
            if common > length and _can_truncate(kept[1], common):
                best, length = kept, common
        if best is None:
            return Cache(self.model.config, CHUNK, ROLLBACK)
        self._kept.remove(best)
        best[1].truncate(length)
        return best[1]

    def _keep(self, used: list[tuple[list[int], Cache]]) -> None:
        self._kept = [*used, *self._kept][:KEPT]
        while len(self._kept) > 1 and sum(cache.nbytes() for _, cache in self._kept) > KEPT_BYTES:
            self._kept.pop()


def _device(name: str | None) -> torch.device:
    """The device of that name, which must be there."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:  # torch says in either way that it was built without CUDA
        raise UsageError(f"no device {name!r}: {str(error).splitlines()[0]}; leave it out to use what there is") from error


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """The length of the common beginning."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _can_truncate(cache: Cache, length: int) -> bool:
    """Whether no sliding layer has let go of what the next token would see."""
    try:
        for layer in cache.layers:
            layer.check_truncation(length)
    except UsageError:
        return False
    return True
