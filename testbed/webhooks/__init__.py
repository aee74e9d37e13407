"""Signed deliveries, requests as AWS hands them over, and a receiver with what it needs."""
