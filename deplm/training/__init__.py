"""Training by gradient: the published recipes, and the fully trained networks beside them."""
