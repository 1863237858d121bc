#!/usr/bin/env python3
"""Prints what an installation would fetch, from the report of `pip install --dry-run --report FILE`.

One line for each package of 20 MB or more, then the sum. A size that the index does not tell is said to be unknown.
"""

import json
import os
import ssl
import sys
import urllib.parse
import urllib.request
from pathlib import Path

LISTED_FROM_BYTES = 20_000_000
TIMEOUT_S = 10


def size_of(url):
    """Bytes, or None where the server does not say."""
    parts = urllib.parse.urlparse(url)
    if parts.scheme == "file":
        path = Path(urllib.request.url2pathname(parts.path))
        return path.stat().st_size if path.is_file() else None
    try:
        context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
            length = answer.headers.get("Content-Length")
            return int(length) if length else None
    except (OSError, ValueError):
        return None


def main():
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    total, unknown = 0, 0
    for item in report["install"]:
        url = item["download_info"]["url"]
        size = size_of(url)
        if size is None:
            unknown += 1
        else:
            total += size
        if size is None or size >= LISTED_FROM_BYTES:
            shown = "size unknown" if size is None else f"{size / 1e6:.0f} MB"
            print(f"  {urllib.parse.unquote(Path(urllib.parse.urlparse(url).path).name)}  {shown}")
    more = f", {unknown} of unknown size" if unknown else ""
    print(f"  in all {total / 1e6:.0f} MB in {len(report['install'])} packages{more}")


if __name__ == "__main__":
    main()
