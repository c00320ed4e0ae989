"""One HTML file from a fit, its forecast, a backtest and a decision. It computes nothing."""
