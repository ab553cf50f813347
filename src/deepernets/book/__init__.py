"""The book: what its pages show, its editions, and the web site and the PDF that are made of them."""
