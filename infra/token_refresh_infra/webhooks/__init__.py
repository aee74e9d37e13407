"""`mode = "webhooks"`: a receiver of webhooks."""
