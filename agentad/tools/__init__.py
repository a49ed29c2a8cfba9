"""Tool cards and the functions behind them."""
