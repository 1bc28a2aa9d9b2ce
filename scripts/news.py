"""``make news``: moves the lines of ``news/TOPIC.KIND.md`` into CHANGELOG.md under the version that is being released."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from pilothouse import __version__

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"added": "Added", "changed": "Changed", "fixed": "Fixed", "removed": "Removed"}


def main() -> int:
    fragments = sorted(p for p in (ROOT / "news").glob("*.md") if p.name != "README.md")
    wrong = [p.name for p in fragments if p.name.split(".")[-2] not in KINDS]
    if wrong:
        print(f"Name these TOPIC.{'|'.join(KINDS)}.md: {', '.join(wrong)}", file=sys.stderr)
        return 1
    if not fragments:
        print("There is nothing in news/.")
        return 0
    lines = [f"## {__version__} ({datetime.now(UTC):%Y-%m-%d})", ""]
    for kind, title in KINDS.items():
        texts = [p.read_text().strip() for p in fragments if p.name.split(".")[-2] == kind]
        lines += [f"### {title}", "", *(f"- {text}" for text in texts), ""] if texts else []
    changelog = ROOT / "CHANGELOG.md"
    head, _, tail = changelog.read_text().partition("\n## ")
    changelog.write_text("\n".join([head, *lines]) + (f"\n## {tail}" if tail else ""))
    for fragment in fragments:
        fragment.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
