"""What keeps a computation from harm: folders that nobody else opens, workers that hang, answers that never come."""
