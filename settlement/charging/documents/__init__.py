"""What is handed out after a session: receipt, charge detail record, signed values, table."""
