"""Doors for HTTP, sockets and streams: one file a URL prefix. They check who may, and hand on."""
