"""From a trace to the document that a model is trained on.

document = render(tokenizer, trace, max_tokens=2048)
"""

import numpy as np

from foretrace.data.shards import Document
from foretrace.data.tokenizer import Tokenizer
from foretrace.trace import Token, Trace, to_segments


def render(tokenizer: Tokenizer, trace: Trace, max_tokens: int) -> Document | None:
    """The tokens of a whole trace, or None if there are more than `max_tokens`.

    The prompt is the context and the first call frame: an engine knows the arguments and gives them.
    """
    segments = to_segments(trace)
    prompt_end = segments.index(Token.FRAME_SEP, segments.index(Token.CALL_SEP)) + 1
    prompt = tokenizer.encode(segments[:prompt_end])
    if len(prompt) > max_tokens:
        return None
    tokens = prompt + tokenizer.encode(segments[prompt_end:])
    if len(tokens) > max_tokens:
        return None
    return Document(np.array(tokens, dtype=np.uint16), len(prompt))
