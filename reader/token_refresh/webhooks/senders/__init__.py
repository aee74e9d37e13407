"""The known senders of webhooks, a module each; `token_refresh.webhooks.SENDERS` lists them."""
