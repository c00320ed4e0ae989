"""Fit and targets -> Forecast, and questions asked of both."""
