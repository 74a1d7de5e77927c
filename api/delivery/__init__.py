"""Tell others what happened: webhooks, and charge detail records pushed to eMSPs."""
