"""What is stored: the token document, the published copy, client credentials. Worker and reader share it."""
