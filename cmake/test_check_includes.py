"""The include check finds what it is there to find."""
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_includes import check  # noqa: E402


def house(tmp_path, **files):
    """A source tree; `files` are {"protocol__x_hpp": text}."""
    for name, text in files.items():
        folder, _, rest = name.rpartition("__")
        stem, _, suffix = rest.rpartition("_")
        path = tmp_path / folder.replace("__", "/") / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path)


@pytest.mark.parametrize("name, text", [
    ("protocol__a_hpp", '#include "cache/repo_key.hpp"'),
    ("protocol__a_cpp", "#include <boost/asio/buffer.hpp>"),
    ("protocol__a_cpp", "#include <spdlog/spdlog.h>"),
    ("protocol__a_cpp", '#include "metrics/metrics.hpp"'),
    ("cache__a_cpp", '#include "proxy/outcome.hpp"'),
    ("cache__io__a_cpp", "  #  include <boost/beast/http.hpp>"),
    ("cache__a_cpp", "#include <spdlog/fmt/fmt.h>"),
    ("metrics__a_cpp", '#include "cache/repo_key.hpp"'),
    ("metrics__a_cpp", '#include "proxy/outcome.hpp"'),
    ("proxy__a_cpp", "#include <git2.h>"),
    ("proxy__a_cpp", "#include <git2/odb.h>"),
    ("proxy__a_cpp", "#include <sqlite3.h>"),
    ("proxy__a_cpp", "#include <prometheus/counter.h>"),
    ("cache__a_cpp", "#include <prometheus/counter.h>"),
    ("proxy__a_cpp", '#include "outcome.hpp"'),
    ("tests__protocol__a_cpp", '#include "cache/repo_key.hpp"'),
])
def test_a_bad_include_is_found_with_file_and_line(tmp_path, name, text):
    problems = check(house(tmp_path, **{name: f"// first line\n{text}\n"}))
    assert len(problems) == 1 and ":2: " in problems[0], problems


def test_good_includes_pass(tmp_path):
    assert check(house(
        tmp_path,
        protocol__a_hpp='#include <vector>\n#include <boost/system/result.hpp>\n#include "protocol/errc.hpp"\n',
        cache__a_cpp='#include <git2.h>\n#include <boost/asio/awaitable.hpp>\n#include "protocol/a.hpp"\n',
        metrics__a_cpp="#include <prometheus/registry.h>\n",
        proxy__a_cpp='#include <boost/beast/http.hpp>\n#include <spdlog/spdlog.h>\n#include "cache/a.hpp"\n#include "metrics/a.hpp"\n',
        tests__proxy__a_cpp='#include "check.hpp"\n#include "protocol/a.hpp"\n')) == []


def test_libgit2_stands_in_three_files_at_most(tmp_path):
    three = {f"cache__f{n}_cpp": "#include <git2.h>\n" for n in range(3)}
    assert check(house(tmp_path, **three)) == []
    assert len(check(house(tmp_path, cache__f3_cpp="#include <git2.h>\n"))) == 4


def test_the_command_fails_where_it_finds_something(tmp_path):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_includes.py")
    root = house(tmp_path, protocol__a_hpp='#include "proxy/x.hpp"\n')
    done = subprocess.run([sys.executable, script, root], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "protocol/a.hpp:1:" in done.stdout
