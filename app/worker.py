"""`easel worker`: answers the doorbell, and looks after runs that nobody carries."""

import asyncio
import signal
import socket
from collections.abc import Coroutine
from typing import Any

import structlog

from app.compose import Services, limits_of, open_services, patience_of
from app.observe.metrics import answer_scrapes
from app.providers import reporters
from app.settings import Settings
from app.sweeper import (
    keep_clearing,
    keep_retiring,
    keep_retiring_events,
    keep_retiring_imports,
    keep_retiring_renders,
    keep_sweeping_objects,
    keep_versioning,
)
from canvas.ids import new_id
from jobs.calls import Calls
from jobs.cancels import Cancels
from jobs.drain import Drain
from jobs.importing import Importer, keep_importing
from jobs.late_orders import LateOrders
from jobs.late_variants import LateVariants
from jobs.notices import keep_sending
from jobs.queue import answer_bells
from jobs.reconciler import (
    keep_filling,
    keep_finishing,
    keep_lining_up,
    keep_looking,
    keep_reconciling,
    keep_ringing,
    keep_telling,
)
from jobs.runner import Runner
from jobs.store.calls import CallStore
from jobs.store.claims import Claims
from jobs.store.late_orders import LateOrderStore
from jobs.store.late_variants import LateVariantStore
from jobs.webhooks.addresses import Addresses
from jobs.webhooks.inbox import keep_sorting

log = structlog.get_logger(__name__)


async def work(settings: Settings) -> None:
    """Until SIGTERM or Ctrl-C. Orders that are being sent then come to their end, and runs go back to other workers."""
    stopping, drain = asyncio.Event(), Drain(settings.drain_seconds)

    def stop() -> None:
        if stopping.is_set():
            drain.hurry()
        drain.begin()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    answer_scrapes(settings)
    async with open_services(settings) as services:
        name = f"{socket.gethostname()}:{new_id('worker')}"
        patience = patience_of(settings)
        call_store = CallStore(services.database, services.relay, limits_of(settings))
        addresses = Addresses(settings.public_url, settings.base_url, reporters(settings))
        runner = Runner(
            Claims(services.database, services.relay, services.picture_url),
            services.relay,
            registry=services.registry,
            calls=Calls(call_store, services.relay, services.gate, services.keeper, addresses, patience, drain=drain),
            keeper=services.keeper,
            sources=services.sources,
            previews=services.previews,
            worker=name,
            lease_s=settings.lease_seconds,
            patience=patience,
        )
        cancels = Cancels(call_store, services.registry, patience.deadline_s)
        late_order_store = LateOrderStore(services.database, services.relay, services.picture_url)
        late_orders = LateOrders(late_order_store, services.registry, services.keeper)
        late_variant_store = LateVariantStore(services.database, services.relay, services.picture_url)
        late_variants = LateVariants(late_variant_store, services.keeper)
        importer = Importer(services.import_store, services.keeper, settings.lease_seconds)
        await services.notices.begin()
        log.info("worker.ready", worker=name, concurrency=settings.worker_concurrency)
        async with asyncio.TaskGroup() as loops:
            keepers = [
                loops.create_task(keeping)
                for keeping in (
                    keep_ringing(services.bells),
                    keep_reconciling(services.bells),
                    keep_filling(services.run_store),
                    keep_lining_up(services.line, services.registry),
                    keep_telling(cancels),
                    keep_looking(late_orders),
                    keep_finishing(late_variants),
                    keep_importing(importer),
                    keep_sending(services.notices),
                    *_housekeeping(services),
                )
            ]
            await answer_bells(services.redis, runner.carry, concurrency=settings.worker_concurrency, stopping=stopping)
            for keeper in keepers:
                keeper.cancel()
        log.info("worker.stopped", worker=name)


def _housekeeping(services: Services) -> list[Coroutine[Any, Any, None]]:
    keep_days = services.settings.retention_days
    return [
        keep_sorting(services.webhooks.inbox),
        keep_versioning(services.versions, keep_days),
        keep_retiring(services.database, keep_days),
        keep_retiring_events(services.database, keep_days),
        keep_retiring_renders(services.database, services.objects, keep_days),
        keep_retiring_imports(services.database, keep_days),
        keep_clearing(services.artworks, keep_days),
        keep_sweeping_objects(services.sweep),
    ]
