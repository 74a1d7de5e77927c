"""What drivers do about their money: look at it, raise a deposit, sign a total."""
