"""Run the steps on the connection that ``ledger.store.migrating`` hands over."""

from ledger.store.migrating import run_steps

run_steps()
