"""What `foretrace web RECEIPT` does: the receipt of `foretrace solve` in a browser, and its predictions in the debugger.

serve_receipt(Path("receipt.json"), Serving())
"""

from pathlib import Path

import click

from foretrace.cli.web_serving import SECONDS, Browser, Made, Rules, Serving, serve_page
from foretrace.solve.page import receipt_html
from foretrace.solve.receipt import Receipt


def serve_receipt(file: Path, serving: Serving, *, export: Path | None = None) -> None:
    """Serves a receipt, or writes its page into a file. Raises as `serve_page` does.

    Raises:
        FormatError: the file is no receipt.

    """
    receipt = Receipt.load(file)
    if export is not None:
        export.write_text(receipt_html(receipt), encoding="utf-8")
        click.echo(f"written to {export}", err=True)
        return

    def make(rules: Rules) -> Made:
        from foretrace.solve.serving import make_receipt

        return make_receipt(receipt, rules()), lambda: None

    def visit(page: bytes, browser: Browser, url: str) -> str:
        if b"<h1>" not in page:
            raise ValueError("the receipt is not there")
        pages = [browser.open(f"{url}/predictions/{name}", timeout=SECONDS).read() for name in receipt.traces]
        if not all(b'id="recorded"' in page for page in pages):
            raise ValueError("a prediction does not open")
        return f"{receipt.verdict}; {len(pages)} predictions can be replayed"

    serve_page(serving, make, f"the receipt {file}", visit)
