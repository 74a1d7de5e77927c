"""Serve by TLS: the service's certificate, which OCPP security profile 2 asks for."""

import ssl
from pathlib import Path

from ledger.errors import InvalidRequest


class CertificateUnusableError(InvalidRequest):
    """The service's certificate or its key cannot be used."""

    def __init__(self, certificate: Path, detail: str) -> None:
        super().__init__("certificate_unusable", f"{certificate}: {detail}")


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """
    Return what a server needs to speak TLS 1.2 or newer.

    Parameters
    ----------
    certificate
        PEM file of the certificate and those between it and its root.
    key
        PEM file of the private key; None if it is in the first file.

    Raises
    ------
    CertificateUnusableError
        If a file cannot be read, or the two do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as fault:
        raise CertificateUnusableError(certificate, str(fault)) from fault
    return context
