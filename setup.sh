#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u

top=$(cd "$(dirname "$0")" && pwd)
build=$top/build
jobs=$(nproc 2>/dev/null || echo 2)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

usage ()
{
  cat <<'EOF'
Usage: ./setup.sh COMMAND

  demo          install what is missing, build, and show a domain backed up and
                brought back, in push mode and in pull mode
  check         install what is missing, build, and run every test: the whole
                suite, then sanitizers, valgrind and "make distcheck"
  install-deps  only install the packages that are missing
  --help        this text

Everything is built in ./build.  The demo and the tests use a libvirtd of their
own that is thrown away at the end (tests/lab/private-libvirtd); domains of this
host are neither seen nor touched.  Root is needed only to install packages.

Packages come from apt-get on Debian and Ubuntu, tested on Debian 12, and from
dnf on Fedora, untested.
EOF
}

die ()
{
  echo "setup.sh: $1" >&2
  exit 1
}

if [ -t 1 ]; then
  bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' red='' green='' plain=''
fi

say ()
{
  printf '%s%s%s\n' "$bold" "$1" "$plain"
}

# ---- packages ------------------------------------------------------------------

debian_packages=(
  # to build
  gcc make libc6-dev autoconf automake gettext pkg-config perl xz-utils
  libglib2.0-dev libvirt-dev libvirt-glib-1.0-dev libxml2-dev libjson-glib-dev
  libnbd-dev libpng-dev libarchive-dev libssl-dev libzstd-dev libcurl4-openssl-dev nbdkit-plugin-dev
  # to run
  libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients
  qemu-system-x86 qemu-utils
  # to demonstrate and to test
  e2fsprogs xfsprogs nbdkit valgrind swtpm swtpm-tools strace faketime restic rclone openssl
  fish zsh ansible-core python3-apt python3-prometheus-client
  libnbd-bin guestfish openssh-client openssh-server gnutls-bin
  # to build the guest of the tests: also what its agent is linked with
  syslinux syslinux-common mtools cpio libudev1 libnuma1 liburing2
)

fedora_packages=(
  gcc make autoconf automake gettext pkgconf-pkg-config perl-interpreter perl-podlators perl-Pod-Simple xz
  glib2-devel libvirt-devel libvirt-glib-devel libxml2-devel json-glib-devel
  libnbd-devel libpng-devel libarchive-devel openssl-devel libzstd-devel libcurl-devel nbdkit-devel
  libvirt-daemon libvirt-daemon-driver-qemu libvirt-client
  qemu-system-x86-core qemu-img
  libnbd /usr/bin/guestfish kernel-core
  openssh-clients openssh-server gnutls-utils
  e2fsprogs xfsprogs nbdkit nbdkit-basic-filters valgrind swtpm swtpm-tools strace libfaketime restic rclone openssl fish zsh ansible-core python3-prometheus_client libasan libubsan perl-JSON-PP
)

distribution ()
{
  local like
  # shellcheck source=/dev/null
  like=$(. /etc/os-release 2>/dev/null && echo " ${ID:-} ${ID_LIKE:-} ")
  case $like in
    *" debian "* | *" ubuntu "*) echo debian ;;
    *" fedora "*) echo fedora ;;
    *) echo other ;;
  esac
}

# npm installs an S3 server for a test.  One that is there already, of whatever
# origin, is as good, and cannot always stand beside the distribution's.
npm_packages ()
{
  command -v npm >/dev/null || echo nodejs npm
}

# libguestfs boots whatever kernel is there.
kernel_packages ()
{
  compgen -G '/boot/vmlinu*' >/dev/null || echo "linux-image-cloud-$(dpkg --print-architecture 2>/dev/null)"
}

debian_missing ()
{
  local package
  # shellcheck disable=SC2046  # words
  for package in "${debian_packages[@]}" $(npm_packages) $(kernel_packages); do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
      "install ok installed") ;;
      *) echo "$package" ;;
    esac
  done
}

fedora_missing ()
{
  local package
  # shellcheck disable=SC2046  # words
  for package in "${fedora_packages[@]}" $(npm_packages); do
    rpm -q --whatprovides "$package" >/dev/null 2>&1 || echo "$package"
  done
}

# Packages that bring a service would start it: libvirtd of this host is not
# what we want.  An administrator's own policy-rc.d stays as it is.
without_services ()
{
  local policy=/usr/sbin/policy-rc.d made=no code
  if [ ! -e "$policy" ]; then
    made=yes
    # shellcheck disable=SC2064  # the path of now
    trap "rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  "$@"
  code=$?
  if [ $made = yes ]; then
    rm -f "$policy"
    trap - EXIT
  fi
  return $code
}

install_deps ()
{
  local missing=() install=()
  case $(distribution) in
    debian)
      mapfile -t missing < <(debian_missing)
      install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends) ;;
    fedora)
      mapfile -t missing < <(fedora_missing)
      install=(dnf install --assumeyes --setopt=install_weak_deps=False) ;;
    *)
      echo "setup.sh: which packages this system needs is not known here; going on with what there is" >&2
      return ;;
  esac
  [ ${#missing[@]} != 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    die "packages are missing that only root can install: ${missing[*]}. Run 'sudo ./setup.sh install-deps' once, then this again as you are"
  fi
  say "Installing: ${missing[*]}"
  if [ "$(distribution)" = debian ]; then
    apt-get update --quiet || echo "setup.sh: apt-get update failed; trying with the package lists there are" >&2
    without_services "${install[@]}" "${missing[@]}" </dev/null || die "apt-get could not install the packages above"
  else
    "${install[@]}" "${missing[@]}" </dev/null || die "dnf could not install the packages above"
  fi
}

# ---- building ------------------------------------------------------------------

# quietly LOG COMMAND...: its output goes to LOG; the end of it is shown on failure.
quietly ()
{
  local log=$1
  shift
  "$@" >"$log" 2>&1 </dev/null && return
  echo "$red""failed: $*$plain" >&2
  tail -n 40 "$log" >&2
  echo "(all of it: $log)" >&2
  return 1
}

# build_in DIRECTORY [CONFIGURE-OPTION...]: configures it so, unless it is, and
# makes the program.
build_in ()
{
  local dir=$1 wanted
  shift
  mkdir -p "$dir" || return
  if [ ! -e "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
    quietly "$dir/autogen.log" env NOCONFIGURE=1 "$top/autogen.sh" || return
  fi
  wanted="$top/configure $*"
  if [ ! -e "$dir/config.status" ] || [ "$(cat "$dir/.configured" 2>/dev/null)" != "$wanted" ]; then
    (cd "$dir" && quietly configure.log "$top/configure" "$@") || return
    echo "$wanted" >"$dir/.configured"
  fi
  quietly "$dir/make.log" make -C "$dir" -j"$jobs"
}

# ---- demo ----------------------------------------------------------------------

demo ()
{
  install_deps
  say "Building in $build"
  build_in "$build" || die "the build failed"
  VIRT_KEEP=$build/tool/virt-keep exec "$top/tests/lab/private-libvirtd" "$top/tests/lab/demo"
}

# ---- check ---------------------------------------------------------------------

passed=0 failed=0 skipped=0
skip_list=()
fail_list=()

# A stage of the check that fails without a test that failed, such as a build, is
# a failure by itself.
stage_failed ()
{
  failed=$((failed + 1))
  fail_list+=("$1")
  echo "${red}FAILED: $1$plain"
}

# find_results DIRECTORY [FIND-EXPRESSION...]: not those of a distcheck that failed.
find_results ()
{
  local dir=$1
  shift
  find "$dir" -name '*.trs' ! -path "$dir/virt-keep-*" "${@:--print}"
}

forget_results ()
{
  find_results "$1" -delete
}

# count_results DIRECTORY: adds up what automake's TAP driver has written there,
# and shows the log of each test program that failed.
count_results ()
{
  local trs word bad line
  while read -r trs; do
    bad=no
    while read -r _ word _; do
      case $word in
        PASS | XFAIL) passed=$((passed + 1)) ;;
        SKIP) skipped=$((skipped + 1)) ;;
        *) failed=$((failed + 1)) bad=yes ;;
      esac
    done < <(grep '^:test-result:' "$trs")
    while read -r line; do
      skip_list+=("$(basename "${trs%.trs}"): $line")
    done < <(sed -n 's/^ok [0-9]* -* *\(.*\) # SKIP/\1:/p; s/^1\.\.0 *# *SKIP *//p' "${trs%.trs}.log" 2>/dev/null)
    if [ $bad = yes ]; then
      while read -r line; do
        fail_list+=("$line")
      done < <(grep -E '^(FAIL|ERROR|XPASS): ' "${trs%.trs}.log")
      echo "---- ${trs%.trs}.log"
      grep -vE '^(ok |PASS: |# GLib-DEBUG)' "${trs%.trs}.log" | tail -n 60
      echo "----"
    fi
  done < <(find_results "$1" | sort)
}

# stage TITLE DIRECTORY MAKE-ARGUMENT...: make with tests, whose results count.
stage ()
{
  local title=$1 dir=$2 before=$failed ran=$((passed + failed + skipped)) start=$SECONDS code
  shift 2
  say "$title"
  forget_results "$dir"
  make -C "$dir" "$@" >"$dir/stage.log" 2>&1 </dev/null
  code=$?
  count_results "$dir"
  if [ $code != 0 ] && [ $failed = $before ]; then
    tail -n 40 "$dir/stage.log"
    stage_failed "$title: make $* (all of it: $dir/stage.log)"
  elif [ $((passed + failed + skipped)) = $ran ]; then
    stage_failed "$title: no test ran"
  elif [ $failed = $before ]; then
    echo "${green}ok$plain, $((passed + skipped - ran)) tests in $((SECONDS - start)) s"
  fi
}

# distcheck builds, tests and removes its own directory, so its results are taken
# from the summary that automake prints.  All tests have run by then: these are those that
# find out whether what they need is in the archive.
distcheck_stage ()
{
  local start=$SECONDS log=$build/distcheck.log pass skip
  say "make distcheck"
  # shellcheck disable=SC2016  # a make variable
  if ! quietly "$log" make -C "$build" -j"$jobs" distcheck 'TESTS=$(unit_tests) tests/cli/docs.sh'; then
    stage_failed "make distcheck"
    return
  fi
  pass=$(sed -n 's/^# PASS: *//p' "$log" | tail -n 1)
  skip=$(sed -n 's/^# SKIP: *//p' "$log" | tail -n 1)
  if [ "${pass:-0}" = 0 ]; then
    stage_failed "make distcheck: no test ran"
    return
  fi
  passed=$((passed + pass)) skipped=$((skipped + ${skip:-0}))
  echo "${green}ok$plain, $pass tests in $((SECONDS - start)) s"
}

run_checks ()
{
  say "Building in $build, warnings are errors"
  build_in "$build" --enable-werror || { stage_failed "the build"; return; }
  stage "Every test" "$build" -j"$jobs" check

  say "Building with AddressSanitizer and UndefinedBehaviorSanitizer"
  if build_in "$build/sanitizers" --enable-werror --enable-sanitizers CFLAGS='-g -O1'; then
    # shellcheck disable=SC2016  # a make variable
    stage "Unit and command line tests and some of the others with sanitizers" "$build/sanitizers" -j"$jobs" check \
      'TESTS=$(unit_tests) $(program_cli_tests) tests/restic/core.sh tests/restic/backend-rest.sh tests/restic/backend-s3.sh tests/lab/backup-push.sh tests/lab/backup-pull.sh tests/lab/restic-backup.sh'
  else
    stage_failed "the build with sanitizers"
  fi
  rm -rf "$build/sanitizers"

  say "Building without what is optional"
  if build_in "$build/plain" --enable-werror --without-restic --without-openssl; then
    # shellcheck disable=SC2016  # a make variable
    stage "Unit and command line tests of that" "$build/plain" -j"$jobs" check 'TESTS=$(unit_tests) tests/cli/config.sh tests/cli/usage.sh'
  else
    stage_failed "the build without what is optional"
  fi
  rm -rf "$build/plain"

  say "Changed input for each parser"
  VIRT_KEEP_FUZZ_SECONDS=5 quietly "$build/fuzz.log" make -C "$build" -j"$jobs" check-fuzz || stage_failed "make check-fuzz"

  stage "Unit tests and a lab test under valgrind" "$build" -j"$jobs" check-valgrind
  distcheck_stage
}

check ()
{
  install_deps
  run_checks
  if [ ${#skip_list[@]} != 0 ]; then
    say "Skipped:"
    printf '  %s\n' "${skip_list[@]}" | sort -u
  fi
  if [ ${#fail_list[@]} != 0 ]; then
    say "Failed:"
    printf '  %s\n' "${fail_list[@]}"
  fi
  echo "$passed passed, $failed failed, $skipped skipped"
  [ $failed = 0 ] && [ $passed != 0 ]
}

case ${1:-} in
  demo) demo ;;
  check) check ;;
  install-deps) install_deps ;;
  --help | -h) usage ;;
  *)
    usage >&2
    exit 2 ;;
esac
