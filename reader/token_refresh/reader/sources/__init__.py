"""Where secrets are read: Secrets Manager, Parameter Store, Amplify, and this machine."""
