"""TLS from files: what ``xds serve`` and the commands that talk to it are given."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

CLIENT_VARIABLES: Final = ("XDS_CA", "XDS_CERTIFICATE", "XDS_KEY")


class CertificateError(ValueError):
    """Files cannot be used; the text is one line that says which."""


def server_context(certificate: Path, key: Path, client_ca: Path | None, minimum: str) -> ssl.SSLContext:
    """For a listener. With ``client_ca``, clients need a certificate that it vouches for (ITI TF-2, 3.19)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    _load_chain(context, certificate, key)
    if client_ca is not None:
        _load_authorities(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """For a client; None when nothing is given and the system's authorities serve."""
    if ca is None and certificate is None:
        return None
    context = ssl.create_default_context()
    if ca is not None:
        _load_authorities(context, ca)
    if certificate is not None:
        _load_chain(context, certificate, key or certificate)
    return context


def from_environment(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """For the commands that talk to a peer: XDS_CA, XDS_CERTIFICATE and XDS_KEY name PEM files.

    Without XDS_CA the authorities that the system trusts count. Raises CertificateError.
    """
    ca, certificate, key = (Path(text) if (text := environ.get(name)) else None for name in CLIENT_VARIABLES)
    return client_context(ca, certificate, key) or ssl.create_default_context()


def _load_chain(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise CertificateError(f"certificate {certificate} and key {key} cannot be used: {_reason(error)}") from None


def _load_authorities(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as error:
        raise CertificateError(f"{ca} holds no certificates that can be used: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)


def _no_password() -> NoReturn:
    raise ValueError("the key has a password")
