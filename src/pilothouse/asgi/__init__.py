"""HTTP plumbing that knows no domain: errors as problems, paging, XSRF, what a request carries; pages and static files."""
