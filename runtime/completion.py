"""Shell completion of affectnet-faces: scripts for bash and zsh, made from the declared flags.

Owns the scripts. They hold all flags, and run no program when a key is pressed: starting Python for
every key would take a third of a second.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from runtime import fields, json_log

_ALWAYS = ("--help", "--version")


def script(shell: str, *, programs: Mapping[str, Any]) -> str:
    """Return the script for a shell, "bash" or "zsh".

    Args:
      shell: which.
      programs: name of a program to an object with its `module` and `summary`.
    """
    flags = {name: _flags(about.module) for name, about in programs.items()}
    if shell == "bash":
        return _bash(flags)
    return _zsh(flags, summaries={name: about.summary for name, about in programs.items()})


def _flags(module: str) -> dict[str, tuple[fields.Option, bool]]:
    """Return a program's flags: name to its option, and whether it is a switch."""
    try:
        sections = importlib.import_module(module).SECTIONS
    except ModuleNotFoundError as error:  # An extra is missing: the program would not start either.
        print(f"warning       no flags of {module}: {error}", file=sys.stderr)
        return {}
    return {
        name: (option, fields.value_type(section, name=name)[0] is bool)
        for section in {**sections, **json_log.SECTIONS}.values()
        for name, option in fields.options(section).items()
    }


def _bash(programs: Mapping[str, Mapping[str, tuple[fields.Option, bool]]]) -> str:
    flag_cases, value_cases = [], []
    for program, flags in programs.items():
        words = [*_ALWAYS]
        for name, (option, is_switch) in flags.items():
            words += [f"--{name}", f"--no{name}"] if is_switch else [f"--{name}="]
            if values := _values(option):
                value_cases.append(f"    {program},--{name}) words={_quoted(' '.join(values))} ;;")
            elif option.path:
                kind = "-d" if option.path == "folder" else "-f"
                value_cases.append(f"    {program},--{name}) kind={kind} ;;")
        flag_cases.append(f"    {program}) words={_quoted(' '.join(words))} ;;")
    return _BASH.format(
        programs=" ".join([*programs, "completion", *_ALWAYS]),
        flags="\n".join(flag_cases),
        values="\n".join(value_cases),
    )


def _zsh(
    programs: Mapping[str, Mapping[str, tuple[fields.Option, bool]]],
    *,
    summaries: Mapping[str, str],
) -> str:
    cases = []
    for program, flags in programs.items():
        specs = [f"{name}[{name.removeprefix('--')}]" for name in _ALWAYS]
        for name, (option, is_switch) in flags.items():
            about = _zsh_text(option.help)
            if is_switch:
                specs += [f"--{name}[{about}]", f"--no{name}[not: {about}]"]
            else:
                specs.append(f"--{name}=[{about}]:{name}:{_zsh_action(option)}")
        lines = " \\\n        ".join(_quoted(spec) for spec in [*specs, "*:file:_files"])
        cases.append(f"    {program})\n      _arguments \\\n        {lines} ;;")
    described = [_quoted(f"{name}:{_zsh_text(text)}") for name, text in summaries.items()]
    return _ZSH.format(
        programs=" ".join([*described, "'completion:print a script for a shell'"]),
        cases="\n".join(cases),
    )


def _values(option: fields.Option) -> list[str]:
    return [str(value) for value in option.choices] or list(option.words)


def _zsh_action(option: fields.Option) -> str:
    if values := _values(option):
        return f"({' '.join(values)})"
    return {"": " ", "folder": "_files -/"}.get(option.path, "_files")


def _zsh_text(text: str) -> str:
    return "".join(f"\\{c}" if c in "[]:\\" else c for c in text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_BASH = """\
# Completion of affectnet-faces for bash: eval "$(affectnet-faces completion bash)"
_affectnet_faces() {{
  local line=${{COMP_LINE:0:COMP_POINT}} program=${{COMP_WORDS[1]}} words="" kind=""
  local token=${{line##*[[:space:]]}}
  COMPREPLY=()
  if [[ $COMP_CWORD -le 1 ]]; then
    COMPREPLY=($(compgen -W '{programs}' -- "$token"))
    return
  fi
  if [[ $token == --*=* ]]; then
    case "$program,${{token%%=*}}" in
{values}
    esac
    token=${{token#*=}}
    if [[ -n $kind ]]; then
      compopt -o filenames 2> /dev/null
      local IFS=$'\\n'
      COMPREPLY=($(compgen "$kind" -- "$token"))
    else
      COMPREPLY=($(compgen -W "$words" -- "$token"))
    fi
    return
  fi
  case "$program" in
{flags}
    completion) words='bash zsh' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$token"))
  if [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *= ]]; then
    compopt -o nospace 2> /dev/null
  fi
  if [[ $token != -* && $program == @(predict|compare) ]]; then
    compopt -o filenames 2> /dev/null
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$token"))
  fi
}}
complete -F _affectnet_faces affectnet-faces"""

_ZSH = """\
#compdef affectnet-faces
# Completion of affectnet-faces for zsh: eval "$(affectnet-faces completion zsh)", after compinit
_affectnet_faces() {{
  if (( CURRENT == 2 )); then
    local -a programs=({programs})
    _describe 'program' programs
    return
  fi
  local program=$words[2]
  shift words
  (( CURRENT-- ))
  case $program in
{cases}
    completion) _values 'shell' bash zsh ;;
  esac
}}
compdef _affectnet_faces affectnet-faces"""
