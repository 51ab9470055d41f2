"""What an expansion asks of a network before it touches an array, and what it must leave as it was."""
