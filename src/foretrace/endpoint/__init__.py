"""A client of any OpenAI-compatible server: `Endpoint("http://localhost:8000/v1", model="qwen3").complete(prompt).text`."""

from foretrace.endpoint.answer import Completion, Usage
from foretrace.endpoint.client import Endpoint
from foretrace.endpoint.reply import FunctionCall, Reply

__all__ = ["Completion", "Endpoint", "FunctionCall", "Reply", "Usage"]
