"""Several jobs that lead from a model to another one, as one script runs them."""

from workbench.recipes.recipe import Recipe
from workbench.recipes.steps import FromInput, FromStep, Step

__all__ = ["FromInput", "FromStep", "Recipe", "Step"]
