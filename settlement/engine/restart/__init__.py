"""Start again after any kind of end: steps in order, each timed, writes opened only after all."""
