"""The neural debugger in editors: a server of the Debug Adapter Protocol, over standard input and output or a port."""

from foretrace.dap.server import serve_stdio, serve_tcp

__all__ = ["serve_stdio", "serve_tcp"]
