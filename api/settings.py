"""Configuration from the environment: the one module that reads it."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What can be set from outside, each by ``VOISIN_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="VOISIN_")

    data_dir: Path = Path(".voisin")
    """Directory of the database and of the chain."""
    database: str = ""
    """Address of a PostgreSQL database (``postgresql://user@host/name``); none: an SQLite file."""
    host: str = "127.0.0.1"
    """Address the service listens on."""
    port: int = 8000
    """Port the service listens on."""
    issuer: Path | None = None
    """TOML file of who issues charge detail records and where its stations stand."""
    public_url: str = ""
    """Address by which others reach the service; none: where it listens."""
    private_addresses: bool | None = None
    """Whether webhooks may lead to private addresses; none: only if nobody else is served."""
    witnesses: str = ""
    """Who is asked to cosign the log's checkpoints: ``URL KEY`` each, separated by commas."""
    tls_certificate: Path | None = None
    """PEM file of the service's certificate; none: no TLS (OCPP security profile 2 asks for it)."""
    tls_key: Path | None = None
    """PEM file of its private key; none: it is in the certificate's file."""
    tariffs: Path | None = None
    """TOML file that says which stations have OCPI tariffs of their own; None: no station has."""
