#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a backup keeps to --max-rate, of each disk and of all of them together, in push
# and in pull mode and where the domain is shut off.
. "$(dirname "$0")/lib.sh"

# speeds: of the block jobs that QEMU runs now, by their names: "vda=1000 vdb=2000".
speeds ()
{
  virsh qemu-monitor-command guest '{"execute":"query-block-jobs"}' |
    perl -0ne 'for (m{(\{[^{}]*"type":"backup"[^{}]*\})}g) { my ($n) = /"device":"backup-(\w+)-libvirt/; my ($s) = /"speed":(\d+)/; push @j, "$n=$s" } print join " ", sort @j'
}

# offset: how far the block job of vda is.
offset ()
{
  virsh qemu-monitor-command guest '{"execute":"query-block-jobs"}' |
    perl -0ne 'for (m{(\{[^{}]*"type":"backup"[^{}]*\})}g) { print $1 if /"device":"backup-vda-/ && /"offset":(\d+)/ }'
}

# shellcheck disable=SC2317  # called by wait_for
speeds_are ()
{
  now=$(speeds)
  [ "$now" = "$*" ]
}

# pushes CLAIM SPEEDS ARGUMENT...: during a push backup QEMU comes to have these speeds.
pushes ()
{
  local claim=$1 wanted=$2
  shift 2
  keep_in_background --store "$store" --json backup guest --mode push --level copy --progress json "$@"
  now=
  wait_for 30 speeds_are "$wanted"
  is "$now" "$wanted" "$claim"
}

# stop: ends what runs in the background.
stop ()
{
  kill -INT "$keeper"
  keep_ends 60
}

make_domain guest vda:qcow2:64G vdb:qcow2:64G vdc:qcow2:64M
guest_write guest vda 0x42 0 384M
guest_write guest vdb 0x43 0 384M
guest_write guest vdc 0x44 0 2M

# ---- push ----------------------------------------------------------------------

pushes "push: when a disk is through, its share goes to those that may use it" "vda=2621440 vdb=524288" --max-rate 3M --max-rate vdb=512K
holds "push: the progress has the limits" wait_for 10 grep -q '"disk":"vdb".*"max_rate":524288' "$err"
stop
exits 130 "push: a slow backup can be stopped"
is "$(json .max_rate) $(json .max_rates[0].target) $(json .max_rates[0].max_rate) $(json .max_rates.length)" "3145728 vdb 524288 1" "the result has the limits"
virsh domstate guest | grep -q running || diag "the guest does not run"

pushes "push: a single disk gets the whole rate" "vda=4194304" --disk vda --max-rate 4M
first=$(offset) from=${EPOCHREALTIME/./}
sleep 2
last=$(offset) until=${EPOCHREALTIME/./}
# Requests of a mebibyte, 64 at a time, may be under way.
most=$((4194304 * (until - from) / 1000000 + (68 << 20)))
holds "push: QEMU copies at that rate ($((last - first)) bytes in $((until - from)) us)" test "$((last - first))" -le "$most"
stop

# ---- pull, and shut off --------------------------------------------------------

# takes CLAIM SECONDS ARGUMENT...: a backup that succeeds, and not sooner.
takes ()
{
  local claim=$1 least=$2 from
  shift 2
  from=${EPOCHREALTIME/./}
  keep --store "$store" --json backup guest --level copy "$@"
  from=$((${EPOCHREALTIME/./} - from))
  exits 0 "$claim"
  holds "$claim: it takes its time ($from us)" test "$from" -ge "$((least * 1000000))"
}

guest_write guest vdc 0x45 0 12M
shadow guest vdc "$lab/then.raw"
takes "pull: 12 MiB at 4 MiB a second" 2 --mode pull --disk vdc --max-rate 4M
holds "pull: the image is right" same_bytes "$(point_dir "$(json .point)")/vdc.qcow2" "$lab/then.raw"
takes "pull: the limit of a disk" 2 --mode pull --disk vdc --max-rate vdc=4M --max-rate 1G
is "$(json .max_rate) $(json .max_rates[0].max_rate)" "1073741824 4194304" "and both are in the result"
keep_in_background --store "$store" --json backup guest --mode pull --level copy --max-rate 10K --progress json
wait_for 30 grep -q '"event":"progress"' "$err"
stop
exits 130 "pull: a backup that waits for its rate can be stopped"
keep --store "$store" --json backup guest --max-rate vdx=1M
exits 3 "a rate for a disk that there is not"
virsh -q destroy guest
takes "shut off: 12 MiB at 4 MiB a second" 2 --disk vdc --max-rate 4M
holds "shut off: the image is right" same_bytes "$(point_dir "$(json .point)")/vdc.qcow2" "$lab/then.raw"

done_testing
