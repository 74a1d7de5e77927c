"""HTTP, OCPP, web pages and command line; composes the service."""
