"""Ready badges for organizations to begin with, and how a database comes to have them."""
