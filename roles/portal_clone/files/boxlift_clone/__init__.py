"""Fills a new release of pre-production with the portal that production serves. Runs on the copy's host."""
