"""The Explore tab: one image, both predictions, and the templates and classes behind them."""
