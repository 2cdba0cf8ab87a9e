"""What can go wrong with a picture. The codes and what each means for money and retries: jobs/SPEC.md.

EaselError
└── JobError            carries `retryable` and `charged`
    ├── ConfigMissing         503
    ├── CapabilityUnsupported 422
    ├── ModelUnknown          422
    ├── ProviderFailed        502
    ├── ImageInvalid          502 from a provider, 422 from an upload
    ├── StorageFailed         500
    └── Cancelled             the run was cancelled while it was being carried
LeaseLost               internal: another worker carries the run now; stop writing at once
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from canvas.errors import EaselError

Charged = Literal["yes", "no", "unknown"]


class JobError(EaselError):
    """A reason why a run ended or has to be tried again."""

    retryable: ClassVar[bool] = False
    charged: Charged

    def __init__(self, detail: str, *, code: str | None = None, charged: Charged = "no", **facts: Any) -> None:
        super().__init__(detail, code=code, **facts)
        self.charged = charged


class ConfigMissing(JobError):
    status, title, default_code = 503, "Provider is not configured", "CONFIG_MISSING"


class CapabilityUnsupported(JobError):
    status, title, default_code = 422, "This model cannot do that", "CAPABILITY_UNSUPPORTED"


class ModelUnknown(JobError):
    status, title, default_code = 422, "Unknown model", "MODEL_UNKNOWN"


class ProviderFailed(JobError):
    status, title, default_code = 502, "The provider failed", "PROVIDER_FAILED"


class ImageInvalid(JobError):
    status, title, default_code = 502, "Not a picture", "IMAGE_INVALID"


class StorageFailed(JobError):
    status, title, default_code, retryable = 500, "The picture could not be stored", "STORAGE_FAILED", True


class Cancelled(JobError):
    status, title, default_code = 409, "Cancelled", "CANCELLED"


class LeaseLost(Exception):
    """Never shown to anyone: the run goes on elsewhere."""
