"""What may be done with an asset now, and if not, why: words for a greyed key and for a command's refusal."""

from providers.models import AssetKind, Capability, RemoteState
from vault.views import AssetView, Flag, LocalState


def why_not_fetch(asset: AssetView) -> str:
    """Why the asset cannot be fetched now; "" when it can."""
    if asset.identity.kind is AssetKind.DASHBOARD:
        return "a dashboard is a link for a browser; it is never fetched"
    if asset.local is LocalState.HELD:
        return "it is held already; verifying reads it again"
    if asset.local in (LocalState.QUEUED, LocalState.FETCHING):
        return "it is queued already"
    if asset.state is RemoteState.PROCESSING:
        return f"the service is still making it ({asset.provider_state or asset.state})"
    if asset.state is RemoteState.EXPIRED:
        return "the service has deleted it"
    if asset.state is RemoteState.FAILED:
        return f"the service failed to make it: {asset.error}" if asset.error else "the service failed to make it"
    return ""


def is_left(asset: AssetView) -> bool:
    """Whether an operator said that it is not to be fetched: `fetch --all` leaves it, and it is not at risk."""
    return bool(asset.flags & {Flag.SKIP, Flag.FORGET})


def is_ready(asset: AssetView) -> bool:
    """Whether `fetch --all` takes it: the service says that it can be had, and it is not held, nor to be left."""
    return not is_left(asset) and asset.state.downloadable and not asset.wrong and not why_not_fetch(asset)


def why_not_verify(asset: AssetView) -> str:
    """Why there is nothing to verify; "" when there is."""
    if asset.proof is None:
        return "no file of it was ever proven here"
    return ""


def why_not_release(asset: AssetView, capabilities: frozenset[Capability]) -> str:
    """Why the service may not be told to delete it; "" when it may."""
    if Capability.RELEASE not in capabilities:
        return "this service offers no way to let it delete a recording"
    if Flag.HOLD in asset.flags:
        return "it is on hold: it is never released, until the hold is taken off"
    if asset.state is RemoteState.ABANDONED:
        return "it is released already; the service deletes it at its deadline"
    if asset.state is not RemoteState.AVAILABLE:
        return f"the service says {asset.provider_state or asset.state}: there is nothing to release"
    if asset.local is not LocalState.HELD or asset.proof is None:
        return f"no proven copy is held here ({asset.local}); fetch it first"
    return asset.proof.missing
