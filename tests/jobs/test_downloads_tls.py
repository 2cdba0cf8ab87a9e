"""Guarded downloads over TLS: the certificate is the name's, whatever address the connection goes to."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jobs.errors import DownloadFailed
from jobs.guarded import open_transport
from tests.jobs.test_downloads import PNG, Site, answer, opened, serve

pytestmark = pytest.mark.anyio


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate for `name` that signs itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("10.9.9.9"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


async def test_the_certificate_is_checked_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    path, context = certificate(tmp_path, "cdn.test")
    names: list[str | None] = []
    context.sni_callback = lambda _object, name, _context: names.append(name)

    async with serve(Site(answer(PNG)), context) as site:
        trusting = open_transport(ssl.create_default_context(cafile=path))
        assert await opened(site, transport=trusting).fetch(site.url(scheme="https"), hosts=None) == PNG
        with pytest.raises(DownloadFailed):  # nobody we trust has signed it
            await opened(site).fetch(site.url(scheme="https"), hosts=None)
    assert names == ["cdn.test", "cdn.test"]


async def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    path, context = certificate(tmp_path, "evil.test")

    trusting = open_transport(ssl.create_default_context(cafile=path))
    async with serve(Site(answer(PNG)), context) as site:
        with pytest.raises(DownloadFailed):
            await opened(site, transport=trusting).fetch(site.url(scheme="https"), hosts=None)
    assert site.requests == []
