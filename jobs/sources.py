"""The picture that another one starts from (`promptSpec.previousImage`): one of ours, or one from elsewhere."""

from __future__ import annotations

from canvas.errors import Invalid, NotFound
from jobs.errors import ImageInvalid
from jobs.keeper import Keeper, Pictures
from jobs.providers.port import Source
from jobs.run import Run
from jobs.store.renders import RenderStore

OBJECTS = "/objects/"


class Sources:
    def __init__(
        self, renders: RenderStore, keeper: Keeper, pictures: Pictures, addresses: tuple[str, ...] = ()
    ) -> None:
        """`addresses`: what our own picture URLs may begin with, beside a bare `/`."""
        self._renders = renders
        self._keeper = keeper
        self._pictures = pictures
        self._addresses = tuple(address.rstrip("/") for address in addresses)

    async def parent_of(self, url: str | None, account_id: str) -> str | None:
        """The render that it shows, if it is one. Raises NotFound for one of ours that the account may not see."""
        key = self._key_of(url) if url is not None else None
        if key is None:
            return None
        shown = await self._renders.shown_to(key, account_id)
        if shown is None:
            raise NotFound("There is no such picture to start from. Use one of your own, or of this workflow.")
        return shown.render_id

    async def load(self, run: Run) -> Source | None:
        """Raises ImageInvalid, StorageFailed, DownloadFailed, DownloadBlocked."""
        url = run.request.prompt_spec.previous_image
        if url is None:
            return None
        content = await self._content(url, run.account_id)
        facts = await self._pictures.inspect(content)
        return Source(content, facts.content_type, facts.width_px, facts.height_px)

    async def _content(self, url: str, account_id: str) -> bytes:
        key = self._key_of(url)
        if key is None:
            return await self._keeper.fetch(url, hosts=None)
        shown = await self._renders.shown_to(key, account_id)
        if shown is None:
            raise ImageInvalid("The picture to start from is gone. Choose another one.")
        return await self._keeper.read(shown.original_key)

    def _key_of(self, url: str) -> str | None:
        for start in ("", *self._addresses):
            if url.startswith(start + OBJECTS):
                return url.removeprefix(start + OBJECTS)
        if not url.startswith("https://"):
            raise Invalid("promptSpec.previousImage is a picture of this Easel (/objects/…) or an https address.")
        return None
