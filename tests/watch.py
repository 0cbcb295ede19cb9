"""Runs something and writes down what it touched: files, addresses, programs, unpickled objects.

    python -m tests.watch REPORT MODULE [ARGUMENTS]

The report is JSON: lists under "read", "written", "network", "programs" and "unpickled".
"""

import json
import os
import runpy
import sys
from collections import defaultdict

TOUCHED: dict[str, set[str]] = defaultdict(set)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
# They keep their own objects pickled: compiled code beside the sources, messages to processes.
PICKLERS = ("numba", "multiprocessing", "concurrent", "joblib")


def _hook(event: str, arguments: tuple) -> None:
    if event == "open":
        path, mode, flags = arguments
        writes = bool(flags & WRITING) or any(letter in (mode or "") for letter in "wax+")
        _note("written" if writes else "read", path)
    elif event in CHANGES:
        for path in arguments[:2]:
            _note("written", path)
    elif event in PROGRAMS:
        TOUCHED["programs"].add(str(arguments[0]))
    elif event in NETWORK:
        TOUCHED["network"].add(f"{event} {arguments[-1]}")
    elif event == "pickle.find_class" and not _by_a_library():
        TOUCHED["unpickled"].add(" ".join(map(str, arguments)))


def _note(how: str, path: object) -> None:
    if isinstance(path, str | bytes):
        TOUCHED[how].add(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100


def _by_a_library() -> bool:
    frame = sys._getframe()
    while frame := frame.f_back:
        if frame.f_globals.get("__name__", "").split(".")[0] in PICKLERS:
            return True
    return False


def main() -> None:
    """Watch a module from its import to its end."""
    report, module = sys.argv[1:3]
    del sys.argv[:2]
    sys.addaudithook(_hook)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        found = {name: sorted(values) for name, values in TOUCHED.copy().items()}
        with open(report, "w") as file:  # noqa: PTH123
            json.dump(found, file)


if __name__ == "__main__":
    main()
