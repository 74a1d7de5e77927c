"""Run transactions by py-evm's opcodes on a flat state: no files, no network, no clock."""
