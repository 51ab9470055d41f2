"""How well predictors rank the candidates of a result by their gain."""
