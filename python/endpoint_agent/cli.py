"""The command line: what its words mean, and which room does the work.

A room is imported by the command that needs it, so that the others start fast.

    exit status 0    done
                1    failed
                2    wrong usage or configuration
                3    not permitted, or not supported by this host
                130  interrupted
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, get_args

from endpoint_agent import __version__
from endpoint_agent.config import DEFAULT_PATH, INTAKE_KEY_VARIABLE, Region, Settings, load
from endpoint_agent.configfile import read_private
from endpoint_agent.errors import AgentError, NotPermittedError, UnsupportedError, UsageError
from endpoint_agent.spelling import modern

Command = Callable[[argparse.Namespace], int]

DEFAULT_LISTEN = "127.0.0.1:8080"

# Characters of a line that may hold a key; the setting says what a key is.
MAX_KEY = 1024

# The only options that may stand before a command.
FIRST_OPTIONS = ("-h", "--help", "--version")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status. Errors are told on standard error."""
    try:
        return _dispatch(sys.argv[1:] if argv is None else argv)
    except AgentError as error:
        print(f"endpoint-agent: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130


def _dispatch(arguments: Sequence[str]) -> int:
    words = modern(arguments)
    _check_first(words)
    options, unknown = _parser().parse_known_args(words)
    command: Command = options.run
    if unknown:
        # Only names: a value may be a secret.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        what = f"unknown option {names[0]}" if names else "a word too many"
        raise UsageError(f"{what}; see endpoint-agent {options.command} --help")
    return command(options)


def _check_first(words: Sequence[str]) -> None:
    """Refuses options before the command: argparse would take, and show, a value as the command."""
    first = words[0] if words else ""
    if first.startswith("-") and first not in FIRST_OPTIONS:
        name = first.partition("=")[0]
        raise UsageError(f"unknown option {name} before the command; see endpoint-agent --help")


class _Parser(argparse.ArgumentParser):
    """Tells wrong usage as an exception, without the values of options: they may be secrets."""

    def error(self, message: str) -> NoReturn:
        message, ignored, _ = message.partition("ignored explicit argument")
        raise UsageError(f"{message}{ignored and 'takes no value'}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="endpoint-agent",
        description="Endpoint detection agent: kernel events become ECS JSON, survive on disk, "
        "and reach an intake.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"endpoint-agent {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Command, help_: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        command.set_defaults(run=run, command=name)
        return command

    _add_agent_commands(add)
    _add_serve(add)
    _add_service_commands(add)
    _add_update(add)
    return parser


def _add_agent_commands(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    run = add("run", _run, "Watch this host and deliver its events, until SIGTERM or Ctrl-C.")
    _add_config(run)
    run.add_argument(
        "--record", type=Path, metavar="FILE", help="write the raw kernel records to a new file"
    )
    check = add("check", _check, "Say what this host supports, and prove it.")
    check.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="capture as this configuration says (default: as without a configuration)",
    )
    _add_json(check)
    replay = add("replay", _replay, "Turn a recording into events: JSON lines on standard output.")
    replay.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="what `run --record` wrote, or a .evtx or .etl file of Windows",
    )
    replay.add_argument(
        "--config", type=Path, metavar="FILE", help="deliver to the intake of this configuration"
    )
    status = add("status", _status, "Ask the running agent how it fares.")
    _add_config(status)
    _add_json(status)
    doctor = add(
        "doctor", _doctor, "Gather what support needs to know into one archive, without secrets."
    )
    _add_config(doctor)
    doctor.add_argument(
        "--output", type=Path, metavar="FILE", help="the archive, a new file (default: one here)"
    )
    live = add("live", _live, "Run an intake and the agent here, and watch the events in a view.")
    live.add_argument(
        "--seconds", type=_seconds, metavar="N", help="end after so long (default: at Ctrl-C)"
    )


def _add_service_commands(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    install = add(
        "install", _install, "Install this program as a service, and wait until it works."
    )
    option = install.add_argument
    option(
        "--intake-key-file",
        type=Path,
        metavar="FILE",
        help="the intake's key; - for standard input. "
        f"It may stand in the variable {INTAKE_KEY_VARIABLE}, too",
    )
    option(
        "--intake-key",
        metavar="KEY",
        help="the same; every user of this host can read it in the process list meanwhile",
    )
    option("--region", choices=get_args(Region), help="whose intake is used")
    option("--intake-url", metavar="URL", help="the address of another intake")
    option("--disable-auto-update", action="store_true", help="stay at this version")
    option(
        "--config",
        type=Path,
        metavar="FILE",
        help="what to begin with (default: config.yaml here, else the installed one)",
    )
    if sys.platform == "win32":
        service = add("service", _service, "Be the service: what the service manager calls.")
        _add_config(service)
        service.add_argument(
            "--register",
            action="store_true",
            help="what the MSI calls: register it, and start it if there is a key",
        )
    uninstall = add("uninstall", _uninstall, "Stop the agent and remove it.")
    uninstall.add_argument(
        "--purge", action="store_true", help="remove its configuration and log, too"
    )


def _add_update(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    update = add("update", _update, "Bring the installed agent to the newest version, on trial.")
    _add_config(update)
    how = update.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="only tell what there is")
    how.add_argument(
        "--retry", action="store_true", help="try a version again that has failed here"
    )
    how.add_argument(
        "--automatic",
        action="store_true",
        help="what the service itself calls: unless DisableAutoUpdate, and silent about the rest",
    )


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_PATH,
        metavar="FILE",
        help="the configuration (default: %(default)s)",
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def _add_serve(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    serve = add("serve", _serve, "Be an intake: take events over HTTPS and keep them in SQLite.")
    option = serve.add_argument
    option("--data", type=Path, required=True, metavar="DIR", help="where the events are kept")
    option(
        "--listen",
        default=DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help="where to listen; beyond this machine only with TLS (default: %(default)s)",
    )
    option(
        "--intake-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a key to accept, repeatable; every user of this host can read it in the process list",
    )
    option(
        "--intake-key-file",
        type=Path,
        metavar="FILE",
        help=f"keys to accept, one a line; another may stand in the variable {INTAKE_KEY_VARIABLE}",
    )
    option("--tls-cert", type=Path, metavar="FILE", help="certificate chain, PEM")
    option("--tls-key", type=Path, metavar="FILE", help="its private key, PEM")
    option(
        "--tls-self-signed",
        action="store_true",
        help="make a certificate once, keep it in DIR, and print what the agents need",
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError("the value is not a number of seconds up to 86400")
    return value


def _settings(path: Path, *, key_required: bool = True) -> Settings:
    settings = load(path, key_required=key_required)
    _warn(settings.warnings)
    return settings


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        print(f"endpoint-agent: warning: {warning}", file=sys.stderr)


def _run(options: argparse.Namespace) -> int:
    from endpoint_agent import source

    # Before the configuration, which root alone may be able to read, and before anything is made.
    source.require_any()
    # The agent puts the warnings into its log.
    settings = load(options.config)
    from endpoint_agent.agent import run

    return run(settings, options.config, options.record)


def _check(options: argparse.Namespace) -> int:
    settings = _settings(options.config, key_required=False) if options.config else Settings()
    from endpoint_agent.selftest import check

    return check(settings, options.json)


def _replay(options: argparse.Namespace) -> int:
    settings = _settings(options.config) if options.config else None
    from endpoint_agent.replay import replay

    return replay(options.file, settings, options.config or DEFAULT_PATH)


def _status(options: argparse.Namespace) -> int:
    settings = _settings(options.config, key_required=False)
    from endpoint_agent.status import show

    return show(settings, options.json)


def _doctor(options: argparse.Namespace) -> int:
    if sys.platform == "win32":
        raise _for_linux_alone(options.command)
    from endpoint_agent import doctor

    return doctor.doctor(options.config, options.output)


def _for_linux_alone(command: str) -> UnsupportedError:
    return UnsupportedError(
        f"{command} is not there on Windows; see endpoint-agent status, check, and the log"
    )


def _live(options: argparse.Namespace) -> int:
    if sys.platform == "win32":
        raise _for_linux_alone(options.command)
    try:
        from endpoint_agent.live import live

        return live(options.seconds)
    except ModuleNotFoundError as error:
        raise AgentError(
            f"the Python package {error.name} is missing; "
            "run: pip install 'endpoint-agent[server,console]'"
        ) from error


def _serve(options: argparse.Namespace) -> int:
    keys = _intake_keys(options)
    from endpoint_agent.server.main import serve

    serve(
        options.data,
        options.listen,
        keys,
        options.tls_cert,
        options.tls_key,
        options.tls_self_signed,
    )
    return 0


def _intake_keys(options: argparse.Namespace) -> list[str]:
    """The keys of the command line, the key file and the environment."""
    keys = list(options.intake_key)
    if options.intake_key_file is not None:
        text, warnings = read_private(options.intake_key_file)
        _warn(warnings)
        keys += text.split()
    if key := os.environ.get(INTAKE_KEY_VARIABLE):
        keys.append(key)
    return keys


def _install(options: argparse.Namespace) -> int:
    _require_root()
    if sys.platform != "win32":
        from endpoint_agent import support

        support.require(support.facts(), otherwise=support.audit_facts())
    from endpoint_agent.service.configuration import Wish
    from endpoint_agent.service.install import install

    wish = Wish(
        _intake_key(options),
        options.region,
        options.intake_url,
        options.disable_auto_update,
        options.config,
    )
    print(install(wish))
    return 0


def _intake_key(options: argparse.Namespace) -> str | None:
    """The key of the command line, of the key file, or of the environment."""
    if options.intake_key is not None:
        return str(options.intake_key)
    if options.intake_key_file is None:
        return os.environ.get(INTAKE_KEY_VARIABLE) or None
    if options.intake_key_file == Path("-"):
        return sys.stdin.readline(MAX_KEY).strip()
    text, warnings = read_private(options.intake_key_file)
    _warn(warnings)
    return text.strip()


def _uninstall(options: argparse.Namespace) -> int:
    _require_root()
    from endpoint_agent.service.uninstall import uninstall

    uninstall(options.purge)
    left = "" if options.purge else f"; {DEFAULT_PATH.parent} and its log are left"
    print(f"endpoint-agent is removed{left}")
    return 0


def _update(options: argparse.Namespace) -> int:
    _require_root()
    settings = _settings(options.config, key_required=False)
    from endpoint_agent.update.run import How, update

    print(update(settings, How(options.check, options.retry, options.automatic)))
    return 0


def _service(options: argparse.Namespace) -> int:
    if sys.platform == "win32":
        from endpoint_agent.service import windows

        if options.register:
            _require_root()
            windows.register(options.config)
            return 0
        return windows.serve(options.config)
    raise UsageError("service is for Windows' service manager; here, use run")


def _require_root() -> None:
    if sys.platform == "win32":
        from endpoint_agent.service.windows import is_administrator

        if not is_administrator():
            raise NotPermittedError(
                "only administrators may change the services of a host; run it as administrator"
            )
    elif os.geteuid() != 0:
        raise NotPermittedError("only root may change the services of a host; run it with sudo")
