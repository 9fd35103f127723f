"""A time stamp (RFC 3161) over a packet's manifest, by the authority that config.toml names."""

import asyncio
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from providers.base import AccountSettings, ProviderError
from providers.http import Http
from providers.messages import Request
from providers.origin import Origin
from providers.text import safe_text
from vault.errors import VaultError

if TYPE_CHECKING:  # loaded when a time stamp is asked for
    from cryptography.x509 import Certificate

_MOST = 1 << 20
"""An answer is a few thousand bytes."""
_QUERY = "application/timestamp-query"


class Stamp(Struct, frozen=True):
    """An authority's answer as it came (DER), when it says that was (UTC), and whether its signature was checked."""

    answer: bytes
    at: datetime
    is_checked: bool


class Authority(Struct, frozen=True):
    """Who stamps. `ca_file`: certificates (PEM) that its signature must lead to; None: the signature is not checked."""

    url: str
    ca_file: Path | None = None
    timeout_s: float = 30.0

    def stamp(self, content: bytes) -> Stamp:
        """Have it stamp the SHA-256 of some bytes. Blocks. Raises VaultError: no answer, no stamp, or a wrong one."""
        try:
            import rfc3161_client as rfc3161
        except ImportError:
            raise VaultError("a time stamp needs a library: pip install 'reeldesk[timestamp]'") from None
        request = rfc3161.TimestampRequestBuilder(data=content, hash_algorithm=rfc3161.HashAlgorithm.SHA256).build()
        answer = asyncio.run(self._ask(request.as_bytes()))
        try:
            response = rfc3161.decode_timestamp_response(answer)
            if response.status != rfc3161.PKIStatus.GRANTED:
                said = safe_text("; ".join(response.status_string)) or f"status {response.status}"
                raise VaultError(f"{self.url} gives no time stamp: {said}")
            told = response.tst_info
        except ValueError as fault:  # the library takes DER alone: also certificates that are not in its order
            raise VaultError(f"{self.url}: what came is no time stamp: {safe_text(fault)}") from None
        if told.message_imprint.message != hashlib.sha256(content).digest() or told.nonce != request.nonce:
            raise VaultError(f"{self.url}: the time stamp that came is for something else")
        if self.ca_file is not None:
            verifier = rfc3161.VerifierBuilder(nonce=request.nonce, roots=self._roots(self.ca_file)).build()
            try:
                verifier.verify_message(response, content)
            except (rfc3161.VerificationError, ValueError) as fault:
                raise VaultError(f"{self.url}: the time stamp's signature is not trusted: {fault}") from None
        return Stamp(answer, told.gen_time.astimezone(UTC), self.ca_file is not None)

    @staticmethod
    def _roots(ca_file: Path) -> "list[Certificate]":
        from cryptography.x509 import load_pem_x509_certificates

        try:
            return load_pem_x509_certificates(ca_file.read_bytes())
        except OSError as error:
            raise VaultError(f"custody.timestamp_ca: {ca_file}: {error.strerror}") from None
        except ValueError:
            raise VaultError(f"custody.timestamp_ca: {ca_file} holds no certificates") from None

    async def _ask(self, request: bytes) -> bytes:
        """RFC 3161, 3.4: a POST with the request, the answer is the response."""
        origin = Origin.of(self.url)
        if origin is None:
            raise VaultError(f"custody.timestamp_url: {self.url} is no address")
        settings = AccountSettings("timestamp", "", {}, timeout_s=self.timeout_s)
        http = Http(settings, (origin,), dict, body_limit=_MOST)
        try:
            answer = await http.send(Request("POST", self.url, {"Content-Type": _QUERY}, request))
        except ProviderError as error:
            raise VaultError(f"no time stamp: {error}") from None
        finally:
            await http.aclose()
        if answer.status != 200:
            raise VaultError(f"{self.url} gives no time stamp: HTTP {answer.status}")
        return answer.content
