"""/metrics: what Prometheus scrapes of this server."""

import ipaddress
import secrets

from litestar import Controller, Response, get

from app.routes.access import OPEN, OpenRequest, TheScrapes, TheServices
from app.routes.health import states_of
from app.settings import Settings
from canvas.errors import NotSignedIn

_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")


class MetricsController(Controller):
    path = "/metrics"
    tags = ("health",)
    opt = OPEN

    @get(operation_id="getMetrics", media_type="text/plain")
    async def metrics(self, services: TheServices, scrapes: TheScrapes, request: OpenRequest) -> Response[bytes]:
        """Prometheus text. For whoever has EASEL_METRICS_TOKEN (or the admin token); where no token is set, also for
        this machine and its private network, asked directly and not through a proxy.
        """
        address = request.client.host if request.client else None
        services.rates.check_refusals(address)  # guessing is as slow here as anywhere
        try:
            _check_scraper(request, services.settings)
        except NotSignedIn:
            await services.rates.count_refusal(address)
            raise
        text, content_type = await scrapes.answer(request.headers.get("accept", ""), await states_of(services))
        return Response(text, media_type=content_type, headers={"Cache-Control": "no-store"})


def _check_scraper(request: OpenRequest, settings: Settings) -> None:
    """Raises NotSignedIn."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    known = [secret for secret in (settings.metrics_token, settings.admin_token) if secret]
    if scheme.lower() == "bearer" and any(secrets.compare_digest(token.encode(), one.encode()) for one in known):
        return
    if settings.metrics_token or not _is_near(request):
        raise NotSignedIn("Metrics are for operators: send “Authorization: Bearer <EASEL_METRICS_TOKEN>”.")


def _is_near(request: OpenRequest) -> bool:
    if request.client is None:
        return True  # a unix socket
    if any(name in request.headers for name in _FORWARDED):
        return False  # the proxy is near, whoever asks it need not be
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_private  # how IPv4 comes to a socket of both kinds
