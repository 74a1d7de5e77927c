"""What proves the contracts: tests on draws, laws on all numbers, findings, and coverage."""
