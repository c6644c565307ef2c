"""The transformer: documents do not see each other, causality, Hugging Face's parameter names."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from foretrace.model.config import FULL, SLIDING, ModelConfig
from foretrace.model.transformer import CausalLM, Documents

CONFIG = ModelConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
    sliding_window=6,
)


def test_layers_alternate_three_local_to_one_global() -> None:
    assert CONFIG.layer_types == (FULL, SLIDING, SLIDING, SLIDING, FULL)


def test_packed_documents_equal_separate_ones() -> None:
    torch.manual_seed(1)
    model = CausalLM(CONFIG)
    documents = [torch.randint(0, 50, (n,)) for n in (9, 20, 1)]
    packed = model(torch.cat(documents), Documents.of((9, 20, 1)))
    alone = torch.cat([model(d, Documents.of((len(d),))) for d in documents])
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["native", "sdpa-block", "dense"])
def test_what_documents_begin_with_may_be_there_once(attention: str) -> None:
    """Logits and gradients are those of the same documents in full."""
    from foretrace.model.attention.native import available

    if attention == "native" and not available():
        pytest.skip("no compiled attention")
    torch.manual_seed(4)
    model = CausalLM(replace(CONFIG, head_dim=16), attention)
    groups = [(9, (4, 1, 12)), (1, (3,)), (7, (2, 2))]  # the window of 6 begins before, in and after what is shared
    parts = [(torch.randint(0, 50, (begin,)), [torch.randint(0, 50, (n,)) for n in rests]) for begin, rests in groups]
    stream = torch.cat([piece for beginning, rests in parts for piece in (beginning, *rests)])
    shared = model(stream, Documents.branching(groups))
    whole = [torch.cat([beginning, rest]) for beginning, rests in parts for rest in rests]
    logits = model(torch.cat(whole), Documents.of([len(document) for document in whole]))
    split, wanted = [], []
    at = start = 0
    for begin, rests in groups:
        beginning, at = shared[at : at + begin], at + begin
        for rest in rests:
            split.append(torch.cat([beginning, shared[at : at + rest]]))
            wanted.append(logits[start : start + begin + rest])
            at, start = at + rest, start + begin + rest
    torch.testing.assert_close(torch.cat(split), torch.cat(wanted), atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad(torch.cat(x).square().sum(), list(model.parameters())) for x in (split, wanted)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_a_later_token_changes_no_earlier_logit() -> None:
    torch.manual_seed(2)
    model = CausalLM(CONFIG)
    tokens = torch.randint(0, 50, (20,))
    changed = tokens.clone()
    changed[12] = (changed[12] + 1) % 50
    before, after = (model(t, Documents.of((20,))) for t in (tokens, changed))
    torch.testing.assert_close(before[:12], after[:12])
    assert not torch.allclose(before[12:], after[12:])


def test_parameter_names_are_hugging_faces() -> None:
    names = set(CausalLM(CONFIG).state_dict())
    for name in ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"):
        assert name in names
    for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
        assert f"model.layers.0.self_attn.{part}.weight" in names


def test_config_survives_json() -> None:
    assert ModelConfig.from_dict(CONFIG.to_dict()) == CONFIG
