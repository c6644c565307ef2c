"""Hugging Face `generate` behind HTTP, for `serve.py --peer`: as much of `/v1/completions` as that asks for, one at a time.

Its arguments are a checkpoint folder and the token that ends a text. It prints its address and `ready`, as `foretrace serve` does.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch
from decode_peer import continuations
from transformers import AutoModelForCausalLM


def main() -> None:
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body leave together

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                options = {"max_new_tokens": body["max_tokens"]}
                [tokens] = continuations(model, [body["prompt"]], options, stop=int(sys.argv[2]))
            data = json.dumps({"choices": [{"token_ids": tokens}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"peer at http://127.0.0.1:{server.server_address[1]}/v1\nready", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
