"""Classes of criteria for applications, written from the JSON schema of criteria."""
