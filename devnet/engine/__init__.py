"""Execute transactions on py-evm: rules, blocks, calls."""
