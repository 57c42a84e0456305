"""The connection of a command to the peer it was given."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from xds_cli.reading import WrongInput
from xds_cli.tls import CertificateError, from_environment
from xds_cli.wire import CountingTransport, unwatched
from xds_soap.client import SoapExchange


def exchange(
    url: str,
    *,
    timeout: float,
    on_sent: Callable[[int], None] = unwatched,
    on_received: Callable[[int], None] = unwatched,
) -> SoapExchange:
    """A SOAP client for ``url`` with the certificates of the environment; raises WrongInput."""
    try:
        verify = from_environment() if urlsplit(url).scheme == "https" else True
    except CertificateError as error:
        raise WrongInput(str(error)) from None
    inner = httpx.HTTPTransport(trust_env=False, verify=verify)
    return SoapExchange(
        url, timeout=timeout, transport=CountingTransport(inner, on_sent=on_sent, on_received=on_received)
    )
