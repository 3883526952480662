"""The stages of one comparison, in the order in which `embaudit.audit` runs them."""
