"""Forecasts of a ladder's larger runs from its smaller ones -> Backtest."""
