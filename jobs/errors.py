"""What can go wrong with a picture. The codes and what each means for money and retries: the table in jobs/SPEC.md.

EaselError
└── JobError                carries `charged`, `retry_after_s` and what the provider `said`
    ├── ConfigMissing         503  before anything is stored
    ├── ModelUnknown          422
    ├── ModelRetired          410  names the replacement
    ├── CapabilityUnsupported 422
    ├── QuotaExceeded         429  the account's own
    │   └── ArtworkLimitReached
    ├── BudgetExceeded        402
    ├── ProviderAuth          502  the credential is paused
    ├── ProviderPermission    502
    ├── ProviderQuota         503  the credential is paused
    ├── RateLimited           429  waited for, uses no attempt
    ├── ProviderRefused       422  the provider does not take these parameters
    ├── ContentPolicy         422  CONTENT_POLICY_INPUT or CONTENT_POLICY_OUTPUT
    ├── NoImageReturned       502
    ├── ProviderUnavailable   503  tried again
    ├── ProviderTimeout       504  not accepted: tried again
    ├── OutcomeUnknown        504  sent, and no answer: never tried again by itself
    ├── PollTimeout           504
    ├── ProviderFailed        502  PROVIDER_FAILED, PROVIDER_CANCELED, PROVIDER_JOB_LOST
    ├── DownloadFailed        502  tried again; never a new generation. OUTPUT_EXPIRED: the job is asked once more
    ├── DownloadBlocked       502  DOWNLOAD_BLOCKED or DOWNLOAD_TOO_LARGE
    ├── ImageInvalid          502 from a provider, 422 from an upload
    ├── ProcessingFailed      500  an upload's sizes could not be made: nothing was created
    ├── StorageFailed         500  tried again
    └── Cancelled             the run was cancelled while it was being carried
LeaseLost                   internal: another worker carries the run now; stop writing at once
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from canvas.errors import EaselError

Charged = Literal["yes", "no", "unknown"]


class Said(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A provider's own words, for the log of the run: redacted of keys, cut to a page, shown escaped."""

    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    http_status: int | None = None


class JobError(EaselError):
    """A reason why a run ended or has to be tried again."""

    retryable: ClassVar[bool] = False
    """Tried again by itself, as long as there are attempts left and nothing was charged."""
    pauses_credential: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        charged: Charged = "no",
        retry_after_s: float | None = None,
        said: Said | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(detail, code=code, **facts)
        self.charged: Charged = charged
        self.retry_after_s = retry_after_s
        self.said = said


# Before anything is sent


class ConfigMissing(JobError):
    status, title, default_code = 503, "Provider is not configured", "CONFIG_MISSING"


class ModelUnknown(JobError):
    status, title, default_code = 422, "Unknown model", "MODEL_UNKNOWN"


class ModelRetired(JobError):
    status, title, default_code = 410, "This model is gone", "MODEL_RETIRED"


class CapabilityUnsupported(JobError):
    status, title, default_code = 422, "This model cannot do that", "CAPABILITY_UNSUPPORTED"


class QuotaExceeded(JobError):
    status, title, default_code = 429, "Quota used up", "QUOTA_EXCEEDED"


class ArtworkLimitReached(QuotaExceeded):
    title = "Artwork limit reached"


class BudgetExceeded(JobError):
    status, title, default_code = 402, "Budget used up", "BUDGET_EXCEEDED"


class PriceUnknown(BudgetExceeded):
    title, default_code = "Price unknown", "PRICE_UNKNOWN"


# What a provider answers


class ProviderAuth(JobError):
    status, title, default_code = 502, "The provider refuses the key", "PROVIDER_AUTH"
    pauses_credential = True


class ProviderPermission(JobError):
    status, title, default_code = 502, "The provider does not allow this", "PROVIDER_PERMISSION"


class ProviderQuota(JobError):
    status, title, default_code = 503, "The provider's credit is used up", "PROVIDER_QUOTA"
    pauses_credential = True


class RateLimited(JobError):
    """`retry_after_s` as the provider says it. The run waits where everybody can see it, and loses no attempt."""

    status, title, default_code = 429, "The provider asks to wait", "PROVIDER_RATE_LIMITED"


class ProviderRefused(JobError):
    status, title, default_code = 422, "The provider does not take this", "PROVIDER_INVALID_REQUEST"


class ContentPolicy(JobError):
    """CONTENT_POLICY_INPUT for the prompt, CONTENT_POLICY_OUTPUT for what came of it. `category` as they say it."""

    status, title, default_code = 422, "Refused by the content policy", "CONTENT_POLICY_INPUT"


class NoImageReturned(JobError):
    status, title, default_code = 502, "No picture came", "NO_IMAGE_RETURNED"


class ProviderUnavailable(JobError):
    """Nothing was accepted: not reached, or refused with 500 or 503."""

    status, title, default_code, retryable = 503, "The provider is not available", "PROVIDER_UNAVAILABLE", True


class ProviderTimeout(JobError):
    """Nothing was accepted."""

    status, title, default_code, retryable = 504, "The provider did not answer in time", "PROVIDER_TIMEOUT", True


class OutcomeUnknown(JobError):
    """The order left and no answer came: it may have been carried out, and charged."""

    status, title, default_code = 504, "Nobody knows what became of it", "OUTCOME_UNKNOWN"

    def __init__(self, detail: str, *, charged: Charged = "unknown", **facts: Any) -> None:
        super().__init__(detail, charged=charged, **facts)


class PollTimeout(JobError):
    status, title, default_code = 504, "The provider is not done in time", "POLL_TIMEOUT"


class ProviderFailed(JobError):
    status, title, default_code = 502, "The provider failed", "PROVIDER_FAILED"


# What happens to the bytes


class DownloadFailed(JobError):
    status, title, default_code, retryable = 502, "The picture could not be downloaded", "DOWNLOAD_FAILED", True


class DownloadBlocked(JobError):
    status, title, default_code = 502, "This download is not allowed", "DOWNLOAD_BLOCKED"


class ImageInvalid(JobError):
    status, title, default_code = 502, "Not a picture", "IMAGE_INVALID"


class ProcessingFailed(JobError):
    status, title, default_code = 500, "Image processing failed", "PROCESSING_FAILED"


class StorageFailed(JobError):
    status, title, default_code, retryable = 500, "The picture could not be stored", "STORAGE_FAILED", True


class Cancelled(JobError):
    status, title, default_code = 409, "Cancelled", "CANCELLED"


class LeaseLost(Exception):
    """Never shown to anyone: the run goes on elsewhere."""
