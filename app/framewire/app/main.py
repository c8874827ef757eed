"""The command line: one table of commands, each loaded when it runs, and how errors end."""

import errno
import os
import sys
from pathlib import Path

import platformdirs
from cyclopts import App, CycloptsError
from cyclopts.config import Env, Toml

from framewire.common import __version__
from framewire.common.errors import FramewireError, UsageError
from framewire.common.printable import printable
from framewire.common.terminal import EXIT_DONE, EXIT_FAILED, EXIT_USAGE

__all__ = ["COMMANDS", "config_path", "run"]

COMMANDS = {
    "send": ("framewire.sender.cli:send", "Send a camera, file, URL or test chart."),
    "view": ("framewire.receiver.cli:view", "Show streams in a window, or count them."),
    "record": ("framewire.receiver.cli:record", "Record streams, one file a topic."),
    "replay": ("framewire.sender.cli:replay", "Send recordings exactly as they happened."),
    "snapshot": ("framewire.receiver.cli:snapshot", "Save the newest frame as a JPEG file."),
    "stats": ("framewire.receiver.cli:stats", "Show rates, ages, losses and states of topics."),
    "web": ("framewire.app.web.cli:web", "Show cameras in a browser."),
    "relay": ("framewire.app.relay:relay", "Offer many senders at one address."),
    "info": ("framewire.app.info:info", "Tell what a recording or clip holds."),
    "repair": (
        "framewire.app.repair:repair",
        "Save what is readable of a cut or damaged recording.",
    ),
    "export": (
        "framewire.app.exporting.cli:export",
        "Turn recordings into mp4, JPEG files, mcap or csv.",
    ),
    "devices": ("framewire.sender.cli:devices", "List the cameras of this machine."),
    "keygen": (
        "framewire.app.keygen:keygen",
        "Make a pair of keys, so that what is sent is encrypted.",
    ),
    "demo": ("framewire.app.demo:demo", "Try it: a real sender and receiver, in one command."),
}

_EPILOGUE = """`framewire COMMAND --help` tells more. Every option can also come from the environment
(`FRAMEWIRE_SEND_QUALITY=70`) or from a file of options (`[send]` and `quality = 70` in `{path}`)."""


def config_path() -> Path:
    """The TOML file of options: FRAMEWIRE_CONFIG, or framewire/config.toml of this user."""
    default = platformdirs.user_config_path("framewire") / "config.toml"
    return Path(os.environ.get("FRAMEWIRE_CONFIG") or default)


def _app() -> App:
    path = config_path()
    app = App(
        name="framewire",
        help="Stream video frames between programs and machines; view, record and replay them.",
        help_epilogue=_EPILOGUE.format(path=path),
        help_format="markdown",
        version=__version__,
        config=[Env("FRAMEWIRE_", show=False), Toml(path)],
        suppress_keyboard_interrupt=False,
    )
    for name, (where, summary) in COMMANDS.items():
        app.command(where, name=name, help=summary)
    return app


def run(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code. Errors become one line on stderr."""
    try:
        result = _app()(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except CycloptsError as error:
        return _fail(f"{' '.join(str(error).split())} (see framewire --help)", EXIT_USAGE)
    except UsageError as error:
        return _fail(str(error), EXIT_USAGE)
    except FramewireError as error:
        return _fail(str(error), EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_DONE
    except BrokenPipeError:  # `framewire ... | head`: nobody reads on, and that is all right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        return _fail(_explained(error), EXIT_FAILED)
    except MemoryError:
        return _fail("there is not enough memory for that on this machine", EXIT_FAILED)
    return int(result or EXIT_DONE)


def _explained(error: OSError) -> str:
    """What the system refused, which is nobody's mistake in this program."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files and connections are open; allow more (ulimit -n), or close something"
    named = f"{error.filename}: " if error.filename else ""
    return f"the system refused: {named}{error.strerror or error}"


def _fail(message: str, code: int) -> int:
    print(f"framewire: {printable(message)}", file=sys.stderr)
    return code
