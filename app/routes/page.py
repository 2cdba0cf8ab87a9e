"""The web page: one document for every address a person may open, and its assets."""

from html import escape
from pathlib import Path

from litestar import Response, get
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.response import File
from litestar.router import Router
from litestar.static_files import create_static_files_router

from app.problems import PROBLEM_JSON, AnyRequest, on_easel_error, on_http_error
from app.routes.access import OPEN
from canvas.errors import EaselError

_INSTALLED = Path(__file__).resolve().parents[1] / "page"
DIST = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2] / "web" / "dist"
"""The page as it is built: inside the package of an installed wheel, beside it in a checkout."""
_ADDRESSES = ["/", "/w/{workflow_id:str}", "/renders", "/artworks", "/runs", "/signed-out"]
_MISSING = "The page has not been built. Run `make web`; the API works without it."


@get(_ADDRESSES, opt=OPEN, include_in_schema=False)
async def page() -> File | Response[str]:
    """The page finds its way from its own address."""
    index = DIST / "index.html"
    if not index.is_file():
        return Response(_MISSING, status_code=503, media_type="text/plain")
    # Its assets carry their content in their names; the page itself is asked for anew each time.
    return File(index, media_type="text/html", content_disposition_type="inline", headers={"Cache-Control": "no-cache"})


def on_refused_link(request: AnyRequest, error: EaselError) -> Response[str] | Response[dict[str, object]]:
    """A link that does not lead where it should: a person gets the page, which says why, and a program the problem."""
    answer = on_easel_error(request, error)
    answer.headers |= {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Vary": "Accept"}
    index = DIST / "index.html"
    wanted = request.accept.best_match([PROBLEM_JSON, MediaType.JSON, MediaType.HTML])
    if wanted != MediaType.HTML or not index.is_file():
        return answer
    reason = f'<meta name="easel-refusal" content="{escape(error.code)}" data-detail="{escape(error.detail)}" />'
    html = index.read_text().replace("</head>", f"  {reason}\n  </head>", 1)
    return Response(html, status_code=error.status, media_type=MediaType.HTML, headers=answer.headers)


def on_unknown_address(request: AnyRequest, error: NotFoundException) -> Response[str] | Response[dict[str, object]]:
    """Where there is nothing, a person gets the page, which says so and leads on; a program gets the problem."""
    answer = on_http_error(request, error)
    answer.headers |= {"Vary": "Accept"}
    index = DIST / "index.html"
    wanted = request.accept.best_match([PROBLEM_JSON, MediaType.JSON, MediaType.HTML])
    if wanted != MediaType.HTML or request.url.path.startswith("/api/") or not index.is_file():
        return answer
    headers = answer.headers | {"Cache-Control": "no-store"}
    return Response(index.read_text(), status_code=404, media_type=MediaType.HTML, headers=headers)


def page_routes() -> list[HTTPRouteHandler | Router]:
    if not (DIST / "assets").is_dir():
        return [page]
    assets = create_static_files_router(
        "/assets",
        directories=[DIST / "assets"],
        opt=OPEN,
        cache_control=None,
        include_in_schema=False,
        send_as_attachment=False,
        after_request=_keep_for_ever,
    )
    return [page, assets]


def _keep_for_ever(response: Response[object]) -> Response[object]:
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
