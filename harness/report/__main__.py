"""`python -m harness.report`: see `harness.report.pages`."""

from harness.report.pages import main

if __name__ == "__main__":
    raise SystemExit(main())
