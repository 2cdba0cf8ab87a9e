"""/api/batches: how far many things are that were asked for at once."""

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from app.routes.access import CallerRequest, TheServices
from jobs.batch import Batch


class BatchesController(Controller):
    path = "/api/batches"
    tags = ("batches",)

    @get("/{batch_id:str}", operation_id="getBatch")
    async def read(self, services: TheServices, request: CallerRequest, batch_id: FromPath[str]) -> Batch:
        """A batch that you have started: what waits or is under way, what came of the others, and why some failed."""
        return await services.batches.get(batch_id, request.user.account_id)

    @post("/{batch_id:str}/cancel", operation_id="cancelBatch", status_code=202)
    async def cancel(self, services: TheServices, request: CallerRequest, batch_id: FromPath[str]) -> Response[Batch]:
        """Stop what is left of a batch: what waits ends at once, what is under way when its worker has heard of it."""
        return Response(await services.batches.cancel(batch_id, request.user.account_id), status_code=202)
