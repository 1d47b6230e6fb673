"""What is decided about shoppers and items, entity by entity."""
