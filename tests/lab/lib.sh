# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What every lab test starts with:
#
#   . "$(dirname "$0")/lib.sh"
#
# The test is run again under private-libvirtd if it is not there yet, so it
# meets no domain but its own.  Then it has a directory of its own, $lab, and the
# functions below.  Results are TAP on stdout; the name of a test is its claim.
#
# Environment: VIRT_KEEP is the program under test (else build/tool/virt-keep of
# the tree), VG a command to run it under, such as "valgrind -q".
set -u

lab_sources=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -z "${VIRT_KEEP_LAB:-}" ]; then
  exec "$lab_sources/private-libvirtd" --tap \
    timeout --foreground --kill-after=10 "${VIRT_KEEP_LAB_TIMEOUT:-600}" "$BASH" "$0" "$@"
fi

# ---- TAP ---------------------------------------------------------------------

tests_run=0
tests_failed=0

# diag TEXT...: a comment in the TAP stream.
diag ()
{
  printf '%s\n' "$*" | sed 's/^/# /'
}

ok ()
{
  tests_run=$((tests_run + 1))
  echo "ok $tests_run - $1"
}

not_ok ()
{
  tests_run=$((tests_run + 1))
  tests_failed=$((tests_failed + 1))
  echo "not ok $tests_run - $1"
}

skip ()
{
  tests_run=$((tests_run + 1))
  echo "ok $tests_run - $1 # SKIP $2"
}

skip_all ()
{
  echo "1..0 # SKIP $1"
  exit 0
}

# bail TEXT: the test cannot go on; the plan is missing, which is an error.
bail ()
{
  echo "Bail out! $1"
  exit 99
}

# The exit code is 0 even if results are bad: they are in the TAP stream, and
# automake counts another exit code as one error more.
done_testing ()
{
  [ "$tests_failed" = 0 ] || diag "$tests_failed of $tests_run failed"
  echo "1..$tests_run"
  exit 0
}

# holds CLAIM COMMAND...: COMMAND succeeds.
holds ()
{
  local claim=$1 said
  shift
  if said=$("$@" 2>&1); then
    ok "$claim"
  else
    not_ok "$claim"
    diag "failed: $*"
    [ -z "$said" ] || diag "$said"
  fi
}

# is GOT EXPECTED CLAIM
is ()
{
  if [ "$1" = "$2" ]; then
    ok "$3"
  else
    not_ok "$3"
    diag "     got: $1"
    diag "expected: $2"
  fi
}

# like TEXT REGEX CLAIM
like ()
{
  if [[ $1 =~ $2 ]]; then
    ok "$3"
  else
    not_ok "$3"
    diag "          got: $1"
    diag "does not match: $2"
  fi
}

# cleanup_fn COMMAND...: run when the test ends.
cleanups=()
cleanup_fn ()
{
  cleanups+=("$(printf '%q ' "$@")")
}

# shellcheck disable=SC2317  # called by the trap
run_cleanups ()
{
  local i
  for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do
    eval "${cleanups[i]}" >/dev/null 2>&1
  done
}
trap run_cleanups EXIT

# wait_for SECONDS COMMAND...: until COMMAND succeeds; false when it never does.
wait_for ()
{
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || return 1
    sleep 0.05
  done
}

# at_least N FILE: FILE holds a number of at least N.
at_least ()
{
  [ "$(cat "$2" 2>/dev/null || echo 0)" -ge "$1" ]
}

# ---- the program ---------------------------------------------------------------

if [ -z "${VIRT_KEEP:-}" ]; then
  VIRT_KEEP=$lab_sources/../../build/tool/virt-keep
fi
[ -x "$VIRT_KEEP" ] || bail "VIRT_KEEP names no program: $VIRT_KEEP"

lab=$(mktemp -d "$VIRT_KEEP_LAB/t.XXXXXX") || bail "no directory for the test's files"
chmod 0711 "$lab"
cleanup_fn rm -rf "$lab"
store=$lab/store
out=$lab/stdout
err=$lab/stderr
code=

# keep ARGUMENT...: runs virt-keep; its exit code is in $code, its output in the
# files $out and $err.
keep ()
{
  local - ; set -f
  # shellcheck disable=SC2086  # VG is a command with its options
  ${VG:-} "$VIRT_KEEP" "$@" >"$out" 2>"$err" </dev/null
  code=$?
}

# keep_in_background ARGUMENT...: the same, going on beside the test; $keeper is
# its process.  SIGINT has its default action, as in a terminal.
keep_in_background ()
{
  local - ; set -f
  # shellcheck disable=SC2086
  env --default-signal=INT,QUIT ${VG:-} "$VIRT_KEEP" "$@" >"$out" 2>"$err" </dev/null &
  keeper=$!
}

# keep_ends SECONDS: waits for it; $code as with keep.
keep_ends ()
{
  local seconds=$1
  # Under valgrind everything takes its time.
  [ -z "${VG:-}" ] || seconds=$((seconds * 10))
  if ! wait_for "$seconds" keeper_is_gone; then
    diag "virt-keep still runs after $seconds seconds"
    kill -KILL "$keeper"
  fi
  wait "$keeper" 2>/dev/null
  code=$?
}

# shellcheck disable=SC2317  # called by wait_for
keeper_is_gone ()
{
  local state
  read -r _ _ state _ < <(sed 's/(.*)/x/' "/proc/$keeper/stat" 2>/dev/null) || return 0
  [ "$state" = Z ]
}

# exits CODE CLAIM: the last virt-keep ended with CODE.
exits ()
{
  if [ "$code" = "$1" ]; then
    ok "$2"
  else
    not_ok "$2"
    diag "exit code $code, expected $1"
    diag "stdout: $(tail -c 2000 "$out")"
    diag "stderr: $(tail -c 2000 "$err")"
  fi
}

# json_get FILE PATH: the value at a PATH like .disks[0].target in FILE's JSON;
# "(none)" where there is none, canonical JSON for objects and arrays, and
# ".length" at the end for the number of an array's elements.
json_get ()
{
  perl -MJSON::PP -e '
    my ($file, $path) = @ARGV;
    open my $in, "<:raw", $file or die "$file: $!";
    local $/;
    my $json = JSON::PP->new->utf8->allow_nonref->canonical;
    my $value = eval { $json->decode (<$in>) };
    if ($@) { print "(not JSON)\n"; exit }
    for my $step ($path =~ /(\.[^.\[]+|\[\d+\])/g) {
      if ($step eq ".length" && ref $value eq "ARRAY") { $value = @$value }
      elsif ($step =~ /^\.(.+)/ && ref $value eq "HASH" && exists $value->{$1}) { $value = $value->{$1} }
      elsif ($step =~ /^\[(\d+)\]/ && ref $value eq "ARRAY" && $1 < @$value) { $value = $value->[$1] }
      else { print "(none)\n"; exit }
    }
    if (!defined $value) { print "null\n" }
    elsif (JSON::PP::is_bool ($value)) { print $value ? "true\n" : "false\n" }
    elsif (ref $value) { print $json->encode ($value), "\n" }
    else { utf8::encode ($value); print "$value\n" }' "$1" "$2"
}

# json PATH: of what virt-keep --json has printed last.
json ()
{
  json_get "$out" "$1"
}

# points: how many restore points the store shows.
points ()
{
  [ -e "$store" ] || { echo 0; return; }
  "$VIRT_KEEP" --store "$store" --json list >"$lab/list.json" 2>/dev/null </dev/null
  json_get "$lab/list.json" .points.length
}

# point_dir POINT: the directory that holds it.
point_dir ()
{
  find "$store" -mindepth 2 -maxdepth 2 -name "${1##*@}" -type d
}

# ---- domains -------------------------------------------------------------------

xml_text ()
{
  perl -e '$_ = shift; s/&/&amp;/g; s/</&lt;/g; s/>/&gt;/g; s/"/&quot;/g; s/\x27/&apos;/g; print' -- "$1"
}

# new_image FILE FORMAT SIZE: an empty disk; FORMAT is qcow2, qcow2v2 or raw.
new_image ()
{
  case $2 in
    qcow2) qemu-img create -q -f qcow2 "$1" "$3" ;;
    qcow2v2) qemu-img create -q -f qcow2 -o compat=0.10 "$1" "$3" ;;
    raw) qemu-img create -q -f raw "$1" "$3" ;;
    *) bail "new_image: no such format: $2" ;;
  esac || bail "cannot make $1"
}

declare -A disk_file=() disk_format=() own_nodes=()

# disk_xml DOMAIN SPECIFICATION: prints a <disk>, see make_domain.
disk_xml ()
{
  local dev format size extra bus device=disk
  IFS=: read -r dev format size extra <<<"$2"
  case $dev in
    vd*) bus=virtio ;;
    sd*) bus=sata ;;
    fd*) bus=fdc ;;
    *) bail "disk_xml: what bus has $dev?" ;;
  esac
  case $format in
    cdrom | floppy) device=$format format=raw ;;
  esac
  printf "<disk type='file' device='%s'><driver name='qemu' type='%s' discard='unmap'/>" "$device" "${format%v2}"
  if [ -n "${disk_file["$1:$dev"]}" ]; then
    printf "<source file='%s'/>" "$(xml_text "${disk_file["$1:$dev"]}")"
  fi
  printf "<target dev='%s' bus='%s'/>%s</disk>\n" "$dev" "$bus" "${extra:+<$extra/>}"
}

# The <os> of make_domain's domains; a test may set another one first.
domain_os="<os><type arch='x86_64' machine='q35'>hvm</type></os>"

# make_domain NAME DISK...: defines and starts a domain without an operating
# system.  DISK is DEV:FORMAT:SIZE[:ELEMENT], FORMAT qcow2, qcow2v2 or raw, for a
# new empty disk, ELEMENT such as "readonly" or "shareable"; or DEV:cdrom:FILE
# (no FILE: an empty drive).  disk_file[NAME:DEV] is the image.
make_domain ()
{
  local name=$1 disk dev format size dir
  shift
  dir=$(mktemp -d "$lab/disks.XXXXXX")
  chmod 0711 "$dir"
  {
    printf "<domain type='qemu'><name>%s</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>%s<features><acpi/></features><devices>\n" \
      "$(xml_text "$name")" "$domain_os"
    for disk; do
      IFS=: read -r dev format size _ <<<"$disk"
      disk_format["$name:$dev"]=${format%v2}
      case $format in
        cdrom | floppy)
          disk_file["$name:$dev"]=$size ;;
        *)
          disk_file["$name:$dev"]=$dir/$dev.${format%v2}
          new_image "$dir/$dev.${format%v2}" "$format" "$size" ;;
      esac
      disk_xml "$name" "$disk"
    done
    echo "<memballoon model='none'/></devices></domain>"
  } >"$dir/domain.xml"
  virsh -q define "$dir/domain.xml" >"$lab/define" 2>&1 || bail "define: $(cat "$lab/define")"
  cleanup_fn remove_domain "$name"
  virsh -q start "$name" >"$lab/define" 2>&1 || bail "start: $(cat "$lab/define")"
  own_nodes["$name"]=$(block_nodes "$name")
}

# make_big_domain NAME: one whose backup lasts long enough to be caught: 192 MiB at
# the beginning, which pull mode has to read, and 4 MiB near the end of 64 GiB,
# which push mode has to look through.  It takes no more room than its data.
make_big_domain ()
{
  make_domain "$1" vda:qcow2:64G
  guest_write "$1" vda 0x42 0 192M
  guest_write "$1" vda 0x43 60G 4M
}

# shellcheck disable=SC2317  # a cleanup
remove_domain ()
{
  virsh -q destroy "$1"
  virsh -q undefine "$1" --nvram --checkpoints-metadata
}

# kill_qemu DOMAIN: kills its QEMU with SIGKILL, and waits for libvirt to notice.
# An ordinary user's own domain of that name is not ours: the QEMU has to know our
# private directory (root's lab sees no processes but its own).
kill_qemu ()
{
  local pid killed=no
  for pid in $(grep -lz -- "^guest=$1," /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
    [ -z "${VIRT_KEEP_LAB_PRIVATE:-}" ] || grep -qsaF "$VIRT_KEEP_LAB_PRIVATE/" "/proc/$pid/environ" || continue
    kill -KILL "$pid" 2>/dev/null && killed=yes
  done
  [ $killed = yes ] || bail "no QEMU of $1 runs"
  wait_for 10 eval '[ "$(guest_state '"$1"')" = "shut off" ]' || bail "the QEMU of $1 does not die"
}

guest_state ()
{
  virsh domstate "$1" 2>/dev/null | head -n 1
}

# qmp DOMAIN JSON: QEMU's answer.
qmp ()
{
  virsh qemu-monitor-command "$1" "$2"
}

# block_nodes DOMAIN: the names of QEMU's block nodes.
block_nodes ()
{
  qmp "$1" '{"execute":"query-named-block-nodes"}' | grep -o '"node-name":"[^"]*"' | sort -u
}

# guest_io DOMAIN DEV COMMAND: a qemu-io command on a virtio disk as the guest
# would do it, through QEMU's block layer.  What qemu-io itself says, a failed
# write too, goes to QEMU's log.
guest_io ()
{
  local said
  said=$(qmp "$1" "$(qemu_io "$2" "$3")" 2>&1)
  [[ $said == *'"return":""'* ]] || bail "guest_io $1 $2 '$3': $said"
}

# qemu_io DEV COMMAND: the monitor command for it.
qemu_io ()
{
  local number=$(($(printf %d "'${1#vd}") - 97))
  echo '{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io -d /machine/peripheral/virtio-disk'$number'/virtio-backend \"'"$2"'\""}}'
}

# guest_write DOMAIN DEV PATTERN OFFSET LENGTH
guest_write ()
{
  guest_io "$1" "$2" "write -P $3 $4 $5"
}

guest_discard ()
{
  guest_io "$1" "$2" "discard $3 $4"
}

guest_flush ()
{
  guest_io "$1" "$2" flush
}

# writer_start DOMAIN DEV MIB: writes 64 KiB at random places of the disk's first
# MIB mebibytes until writer_stop; $lab/writer.count says how often it did.
writer_start ()
{
  rm -f "$lab/writer.stop" "$lab/writer.count"
  (
    trap - EXIT
    n=0
    monitor_open "$1"
    while [ ! -e "$lab/writer.stop" ]; do
      monitor_io "$2" "write -P $((RANDOM % 255 + 1)) $((RANDOM % ($3 * 16) * 64))k 64k"
      n=$((n + 1))
      echo $n >"$lab/writer.count"
      sleep 0.02
    done
    monitor_close
  ) &
  writer=$!
  wait_for 10 test -s "$lab/writer.count" || bail "the background writer does not write"
}

writer_stop ()
{
  touch "$lab/writer.stop"
  wait "$writer"
}

# shadow DOMAIN DEV FILE: FILE (raw) gets the exact bytes of the disk now.
# Nothing may be writing.
shadow ()
{
  guest_flush "$1" "$2"
  qemu-img convert -U -f "${disk_format["$1:$2"]}" -O raw "${disk_file["$1:$2"]}" "$3" \
    || bail "cannot copy $2 of $1"
}

# same_bytes IMAGE IMAGE: what a guest would read is the same; the format goes by
# the file's name.
same_bytes ()
{
  qemu-img compare -f "$(image_format "$1")" -F "$(image_format "$2")" "$1" "$2"
}

image_format ()
{
  case $1 in
    *.qcow2) echo qcow2 ;;
    *) echo raw ;;
  esac
}

# digest FILE: SHA-256.
digest ()
{
  sha256sum <"$1" | cut -d' ' -f1
}

# ---- backup jobs -----------------------------------------------------------------

# job_of DOMAIN: "None" without a job, "Unbounded" or the like with one.
job_of ()
{
  virsh domjobinfo "$1" 2>/dev/null | sed -n 's/^Job type: *//p' | tr -d ' '
}

no_job ()
{
  [ "$(job_of "$1")" = None ]
}

# has_job DOMAIN: a backup job runs, and libvirt is done with starting it.
has_job ()
{
  virsh domjobinfo "$1" 2>/dev/null | grep -q '^Operation: *Backup'
}

# monitor_open DOMAIN, monitor JSON, monitor_close: QEMU's monitor through one
# virsh that stays: 2 ms a question instead of 30, soon enough to catch a job at
# its start.  The answer is in $answer.
monitor_open ()
{
  monitored=$(virsh domuuid "$1" | head -n 1)
  coproc MONITOR { exec virsh -q 2>&1; }
  monitor_in=${MONITOR[0]} monitor_out=${MONITOR[1]}
  # shellcheck disable=SC2153  # coproc sets it
  monitor_pid=$MONITOR_PID
}

monitor ()
{
  printf "qemu-monitor-command %s '%s'\n" "$monitored" "$1" >&"$monitor_out" || bail "virsh has gone"
  while read -r answer <&"$monitor_in"; do
    case $answer in
      "{"* | error:*) return ;;
    esac
  done
  bail "virsh has gone"
}

# monitor_io DEV COMMAND: guest_io for many of them, after monitor_open.
monitor_io ()
{
  monitor "$(qemu_io "$1" "$2")"
  [[ $answer == *'"return":""'* ]] || bail "qemu-io $1 '$2': $answer"
}

monitor_close ()
{
  echo quit >&"$monitor_out"
  wait "$monitor_pid" 2>/dev/null
}

# catch_push DOMAIN, catch_pull DOMAIN: say before a backup starts that it is to be
# held, so that there is time to act; caught waits until it is, false when no job
# came.  A push job of vda is slowed to a crawl, by QEMU; of a pull job the
# qemu-nbd that writes the images is stopped (SIGSTOP), as if the store hung.  Use
# make_big_domain for either.
catch_push ()
{
  local command
  command=$(push_speed "$1" 65536)
  catching=push
  rm -f "$lab/catching"
  (
    trap - EXIT
    monitor_open "$1"
    touch "$lab/catching"
    monitor_until 30 "$command" '"return":{}'
    code=$?
    monitor_close
    exit $code
  ) &
  catcher=$!
  wait_for 10 test -e "$lab/catching" || bail "virsh does not start"
}

# Not before something was read: a job that ends while its reader still connects
# may leave QEMU 7.2 in nbd-server-stop for ever, guest and all, waiting for a
# client that has gone in the middle of its negotiation.
catch_pull ()
{
  catching=pull
  perl -MFile::Glob=:bsd_glob -e '
    my ($store, $seconds) = @ARGV;
    $store =~ s/([\\{}\[\]*?~])/\\$1/g;
    for (my $end = time + $seconds; time < $end; select undef, undef, undef, 0.001) {
      (-s $_) > 1 << 20 && exit for bsd_glob "$store/*/.partial-*/vda.qcow2"
    }
    exit 1' "$store" 30 &
  catcher=$!
}

caught ()
{
  wait "$catcher" || return
  [ "$catching" = push ] || signal_writers STOP
}

# signal_writers SIGNAL: to the programs that the virt-keep in the background has
# started.
signal_writers ()
{
  local child
  # shellcheck disable=SC2013  # words, not lines
  for child in $(cat "/proc/$keeper"/task/*/children 2>/dev/null); do
    kill "-$1" "$child" 2>/dev/null
  done
}

# held_backup MODE DOMAIN ARGUMENT...: a full virt-keep backup in the background, held
# while it copies.
held_backup ()
{
  local mode=$1 domain=$2
  shift 2
  "catch_$mode" "$domain"
  keep_in_background --store "$store" --json backup "$domain" --mode "$mode" --level full "$@"
  caught || bail "no $mode job was seen"
}

# let_go DOMAIN: what was caught goes on at full speed.
let_go ()
{
  if [ "$catching" = push ]; then
    monitor_open "$1"
    monitor "$(push_speed "$1" 0)"
    monitor_close
  else
    signal_writers CONT
  fi
}

# push_speed DOMAIN BYTES-PER-SECOND: the command that sets the speed of the push
# job of vda.  The name of the job is known beforehand from the number that
# libvirt gives the disk; asking QEMU for it first would cost the time to be in
# time.
push_speed ()
{
  local node
  node=$(virsh dumpxml "$1" | perl -0ne 'print $1 if m{<source [^>]*index=.(\d+)(?:(?!</disk>).)*<target dev=.vda.}s')
  echo "{\"execute\":\"block-job-set-speed\",\"arguments\":{\"device\":\"backup-vda-libvirt-$node-format\",\"speed\":$2}}"
}

# monitor_until SECONDS JSON TEXT: asks until the answer has TEXT.
monitor_until ()
{
  local until=$((SECONDS + $1))
  answer=
  until [[ $answer == *"$3"* ]] || [ $SECONDS -ge $until ]; do
    monitor "$2"
  done
  [[ $answer == *"$3"* ]]
}

# remember DOMAIN: its checkpoints and how many restore points there are, before
# a backup that is to fail.
remember ()
{
  had_checkpoints=$(checkpoints "$1")
  had_points=$(points)
}

# checkpoints DOMAIN: their names, one a line.
checkpoints ()
{
  virsh -q checkpoint-list "$1" --name | grep .
}

# no_trace DOMAIN WHEN: nothing is left of a backup that failed since remember.
no_trace ()
{
  is "$(checkpoints "$1")" "$had_checkpoints" "$2 the checkpoints are those from before"
  is "$(points)" "$had_points" "$2 list shows no unfinished restore point"
  is "$(find "$store" -name '.partial-*' 2>/dev/null)" "" "$2 no unfinished restore point is on the disk"
  is "$(guest_state "$1")" running "$2 the guest runs"
  is "$(block_nodes "$1")" "${own_nodes["$1"]}" "$2 QEMU has the block nodes of the disks and no other"
  holds "$2 libvirt has no job left" no_job "$1"
}
