"""How well a purchase is foretold from a session (Online Shoppers), and what a choice of ads by a model is worth (Open
Bandit)."""
