"""What of a manifold's size is owed to copies by construction (ours)."""
