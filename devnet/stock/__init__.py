"""Run chains by stock py-evm: the judge of our blocks, foreign chains, the engine of the switch."""
