"""How fast training is: our way against a plain loop, step by step, and shared by several processes."""
