"""`python -m harness.report`: see `harness.report.pages.pages`."""

from harness.report.pages.pages import main

if __name__ == "__main__":
    raise SystemExit(main())
