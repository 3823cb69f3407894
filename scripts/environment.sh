# Sourced by the other scripts: the folder of the repository, the tools of the set-up, the compiler.
# Sets `root`, puts .venv/bin first on PATH, exports CXX, and defines `say`, `fail`, `jobs`.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export PATH="$root/.venv/bin:$PATH"
# Messages of tools are read by these scripts (versions, simulated installs): keep them in English.
export LC_ALL=C.UTF-8

# say WORDS..: one line of progress, named after the script that says it.
say() { printf '%s: %s\n' "${0##*/}" "$*"; }

# fail STATUS WHAT [HINT]: what went wrong, what to do, and out.
fail() {
  printf '%s: error: %s\n' "${0##*/}" "$2" >&2
  [ -z "${3:-}" ] || printf '%s: hint: %s\n' "${0##*/}" "$3" >&2
  exit "$1"
}

# compiler_version COMPILER: "gcc 12" or "clang 14"; nothing when it cannot be run.
compiler_version() {
  local numbers
  numbers=$(printf '__clang_major__ __GNUC__\n' | "$1" -E -P -x c++ - 2>/dev/null) || return 0
  case $numbers in
    __clang_major__\ *) echo "gcc ${numbers#* }" ;;
    *\ *) echo "clang ${numbers%% *}" ;;
  esac
}

# new_enough COMPILER: g++ 12 or clang++ 14, the oldest that know the C++20 used here.
new_enough() {
  local version
  version=$(compiler_version "$1")
  case $version in
    gcc\ *) [ "${version#* }" -ge 12 ] ;;
    clang\ *) [ "${version#* }" -ge 14 ] ;;
    *) false ;;
  esac
}

# The compiler: CXX if it is set, else g++, else the newest versioned g++ that is new enough.
choose_compiler() {
  local candidate
  if [ -n "${CXX:-}" ]; then return; fi
  for candidate in g++ g++-15 g++-14 g++-13 g++-12; do
    if new_enough "$candidate"; then
      export CXX=$candidate
      return
    fi
  done
}
choose_compiler

# jobs: compilations at once; every core, but about 1.5 GB of free memory for each.
jobs() {
  local cores megabytes
  cores=$(nproc 2>/dev/null || echo 2)
  megabytes=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo 2>/dev/null || true)
  local by_memory=$((${megabytes:-3000} / 1500))
  [ "$by_memory" -ge 1 ] || by_memory=1
  if [ "$cores" -lt "$by_memory" ]; then echo "$cores"; else echo "$by_memory"; fi
}

# tool_14 NAME: clang-format or clang-tidy of version 14, as NAME-14 or as NAME; nothing without one.
tool_14() {
  local candidate
  for candidate in "$1-14" "$1"; do
    if "$candidate" --version 2>/dev/null | grep -q 'version 14\.'; then
      command -v "$candidate"
      return
    fi
  done
}
