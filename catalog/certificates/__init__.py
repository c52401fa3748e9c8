"""Grants and receipts as W3C Verifiable Credentials 2.0."""
