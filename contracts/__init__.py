"""Solidity contracts, their compiled artifacts and typed data."""
