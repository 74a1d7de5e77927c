"""Speak Ethereum's JSON-RPC over HTTP."""

from devnet.rpc.app import create_rpc

__all__ = ["create_rpc"]
