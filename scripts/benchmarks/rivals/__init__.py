"""Measure our node beside other development nodes, all of them behind plain JSON-RPC."""
