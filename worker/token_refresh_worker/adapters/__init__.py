"""What acts on the world: AWS Secrets Manager, the token endpoint, standard output."""
