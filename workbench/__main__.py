"""`python -m workbench`: the same as `tenfold`."""

from workbench.cli import main

raise SystemExit(main())
