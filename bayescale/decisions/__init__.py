"""Forecast, cost and value -> Evidence, Decision, Required."""
