"""One shape for every refusal: the error object of OpenAI's API, as an exception and as bytes.

    raise Problem(400, "max_tokens must be at least 1", param="max_tokens")
    # {"error": {"message": "max_tokens must be at least 1", "type": "invalid_request_error", "param": "max_tokens", ...}}

The official clients turn this object into their own exceptions by its status, so a refusal reads the same in every face
that answers over HTTP.
"""

import json
from collections.abc import Mapping

_KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class Problem(Exception):
    """A refusal: `status` and `message` (what, why, what to do), with the field to blame and headers of the answer."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    @property
    def kind(self) -> str:
        """OpenAI's name of the class of errors this one belongs to."""
        return _KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")

    def json(self) -> bytes:
        """The body of the answer."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error}, ensure_ascii=False).encode("utf-8", "replace")
