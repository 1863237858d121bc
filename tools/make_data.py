#!/usr/bin/env python3
"""Writes the data sets of the quickstart into data/, from what every Debian machine has. Needs no network.

  python_train.txt, python_held.txt       Python source: the standard library of the Python that runs this, split by
                                          top-level module (a package goes to one side as a whole); no tests, no tables
  problems_train.jsonl, problems_held.jsonl   arithmetic word problems, rows {prompt, completion}: word_problems.py
  prose_held.txt                          English prose: the Jargon File from the Debian package jargon-text

Documents in a .txt file are separated by a line that is exactly <|endoftext|>. The same sources give the same bytes.
A file whose bytes would not change is left alone, and a file is replaced whole or not at all.
"""

import argparse
import gzip
import hashlib
import json
import os
import re
import sys
import sysconfig
from pathlib import Path

import word_problems

SEPARATOR = "<|endoftext|>"
PROBLEMS = {"train": 6000, "held": 600}
JARGON = Path("/usr/share/doc/jargon-text/jargon.txt.gz")

# Neither code that people write nor code to learn from: tests, installed packages, generated tables, bundled data.
SKIPPED_PARTS = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "lib-dynload",
                 "encodings", "pydoc_data", "ensurepip", "turtledemo"}
SKIPPED_MODULES = re.compile(r"_sysconfigdata.*|__phello__|stringprep")
HELD_SHARE = 8  # one top-level module in 8 is held out

PROSE_WORDS_MIN = 30  # shorter paragraphs of the Jargon File are headings, quotes or cross-references
PROSE_DOCUMENT_WORDS_MIN = 100


def module_of(path):
    """The top-level module or package that a file of the standard library belongs to."""
    return path.parts[0].removesuffix(".py")


def is_held(module):
    """By name, so that the split does not move when a module is added or a distribution leaves one out."""
    return int.from_bytes(hashlib.sha256(module.encode()).digest()[:4], "big") % HELD_SHARE == 0


def python_paths(library):
    """Relative paths of the source files to use, in an order that does not depend on the file system."""
    for path in sorted(path.relative_to(library) for path in library.rglob("*.py")):
        if not SKIPPED_PARTS & set(path.parts) and not SKIPPED_MODULES.fullmatch(module_of(path)):
            yield path


def python_documents(library):
    """-> {"train": [...], "held": [...]}"""
    documents = {"train": [], "held": []}
    for path in python_paths(library):
        try:
            text = (library / path).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue  # a few old files declare another encoding
        if text.strip():
            documents["held" if is_held(module_of(path)) else "train"].append(text.replace("\r\n", "\n"))
    return documents


def is_heading(lines):
    return not lines[0].startswith(" ") or re.match(r"   :.*:", lines[0]) is not None


def prose_of(lines):
    """A hard-wrapped paragraph as one line, or None for verse, code, tables, lists of links and the like."""
    if any(re.match(r"   \S", line) is None for line in lines):
        return None
    text = re.sub(r"^\d+\. ", "", " ".join(line.strip() for line in lines))
    text = re.sub(r"\{([^{}]*)\}", r"\1", text)  # {cross-references}
    plain = sum(character.isalpha() or character in " ,." for character in text)
    if len(text.split()) < PROSE_WORDS_MIN or plain < 0.9 * len(text) or "://" in text:
        return None
    return text


def prose_documents(text):
    """One document per heading or lexicon entry that has enough prose under it."""
    documents, paragraphs = [], []

    def finish():
        if sum(len(paragraph.split()) for paragraph in paragraphs) >= PROSE_DOCUMENT_WORDS_MIN:
            documents.append("\n\n".join(paragraphs) + "\n")
        paragraphs.clear()

    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.strip("\n").split("\n")
        if is_heading(lines):
            finish()
        elif (prose := prose_of(lines)) is not None:
            paragraphs.append(prose)
    finish()
    return documents


def joined(documents):
    for document in documents:
        if SEPARATOR in document.splitlines():
            sys.exit(f"make_data: a source document holds a line {SEPARATOR!r}; it cannot be told from the separator")
    return f"{SEPARATOR}\n".join(document.rstrip("\n") + "\n" for document in documents)


def lines_of(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_sources(library, jargon):
    """Everything is read before anything is written, so that a missing source leaves the folder as it was."""
    if not (library / "argparse.py").is_file():
        sys.exit(f"make_data: no standard library in {library}; install libpython3-stdlib or name it with --library")
    if not jargon.is_file():
        sys.exit(f"make_data: {jargon} is missing; install the Debian package jargon-text\n"
                 "  (a system that leaves out /usr/share/doc has to name an unpacked copy with --jargon)")
    python = python_documents(library)
    prose = prose_documents(gzip.decompress(jargon.read_bytes()).decode("utf-8"))
    return {
        "python_train.txt": (joined(python["train"]), len(python["train"])),
        "python_held.txt": (joined(python["held"]), len(python["held"])),
        "prose_held.txt": (joined(prose), len(prose)),
    }


def make_problems():
    return {f"problems_{split}.jsonl": (lines_of(word_problems.problems(split, count)), count)
            for split, count in PROBLEMS.items()}


def write_if_changed(path, content):
    """Returns: whether it wrote."""
    data = content.encode("utf-8")
    if path.is_file() and path.read_bytes() == data:
        return False
    fresh = path.with_name(f".{path.name}.new")
    with open(fresh, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    return True


def main():
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=root / "data", help="folder to write into")
    parser.add_argument("--library", type=Path, default=Path(sysconfig.get_path("stdlib")),
                        help="folder of Python sources; default: the running Python's standard library")
    parser.add_argument("--jargon", type=Path, default=JARGON, help="jargon.txt.gz of the package jargon-text")
    arguments = parser.parse_args()
    files = {**read_sources(arguments.library, arguments.jargon), **make_problems()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, (content, count) in files.items():
        verb = "wrote" if write_if_changed(arguments.out / name, content) else "unchanged"
        print(f"data: {verb} {arguments.out / name}  {len(content.encode()) / 1e6:.2f} MB, {count} documents")


if __name__ == "__main__":
    main()
