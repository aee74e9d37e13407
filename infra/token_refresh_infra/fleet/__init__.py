"""`mode = "fleet"`: one deployment for many token secrets."""
