"""What all commands share: options, printing, prompts, and how an error is reported."""
