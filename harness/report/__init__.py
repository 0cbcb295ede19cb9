"""What a reader sees of the results: RESULTS.md, the README's table, one page of all, figures."""
