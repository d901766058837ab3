#!/usr/bin/python3
"""Who may include what (DESIGN 2): protocol <- cache <- proxy, metrics beside them, and each foreign library in its room.

    check_includes.py [SOURCE_DIR]     prints every include that breaks a rule; exit code 1 where there is one
"""
import os
import re
import sys

PRODUCT = ("protocol", "metrics", "cache", "proxy")

# Folders of ours that the files of a folder may include.
MAY_INCLUDE = {
    "protocol": {"protocol"},
    "metrics": {"metrics"},
    "cache": {"cache", "protocol", "metrics"},
    "proxy": {"proxy", "cache", "protocol", "metrics"},
}

# Foreign headers, and the folders they may stand in.
FOREIGN = [
    (re.compile(r"boost/beast"), "Beast", {"proxy"}),
    (re.compile(r"boost/asio"), "Asio", {"proxy", "cache"}),
    (re.compile(r"git2(\.h|/)"), "libgit2", {"cache"}),
    (re.compile(r"sqlite3\.h"), "SQLite", {"cache"}),
    (re.compile(r"prometheus/"), "prometheus-cpp", {"metrics"}),
    (re.compile(r"spdlog/"), "spdlog", {"proxy", "metrics"}),
]
LIBGIT2_FILES = 3

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_SOURCES = (".hpp", ".cpp", ".h", ".ipp")


def includes(path):
    """[(line number, bracket, name)]"""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    return [(text.count("\n", 0, match.start(2)) + 1, match.group(1), match.group(2)) for match in _INCLUDE.finditer(text)]


def sources(root, folder):
    for base, folders, files in os.walk(os.path.join(root, folder)):
        folders.sort()
        for name in sorted(files):
            if name.endswith(_SOURCES):
                yield os.path.join(base, name)


def check(root):
    """Every broken rule as "file:line: sentence"."""
    problems, with_libgit2 = [], []

    def complain(path, line, sentence):
        problems.append(f"{os.path.relpath(path, root)}:{line}: {sentence}")

    for folder in PRODUCT:
        for path in sources(root, folder):
            for line, bracket, name in includes(path):
                first = name.split("/")[0]
                if first in PRODUCT and first not in MAY_INCLUDE[folder] and "/" in name:
                    complain(path, line, f"{folder}/ may not include {name}: that is upward")
                if bracket == '"' and first not in PRODUCT:
                    complain(path, line, f'"{name}": our own headers are named from the root, foreign ones in <>')
                for pattern, library, rooms in FOREIGN:
                    if pattern.match(name) and folder not in rooms:
                        complain(path, line, f"{library} ({name}) stands only in {', '.join(sorted(r + '/' for r in rooms))}")
                if name.startswith("git2") and folder == "cache" and path not in with_libgit2:
                    with_libgit2.append(path)
        for path in sources(root, os.path.join("tests", folder)):
            for line, _, name in includes(path):
                first = name.split("/")[0]
                if first in PRODUCT and first not in MAY_INCLUDE[folder] and "/" in name:
                    complain(path, line, f"a test of {folder}/ may not include {name}: that is upward")
    if len(with_libgit2) > LIBGIT2_FILES:
        for path in with_libgit2:
            complain(path, 1, f"libgit2 in {len(with_libgit2)} files; {LIBGIT2_FILES} at most")
    return problems


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    problems = check(root)
    print("\n".join(problems) if problems else "every include keeps its direction")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
