#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: a restore into a storage pool makes volumes of libvirt's, here and on
# another machine, never over one that is there, and a domain that runs on them.
# shellcheck disable=SC2031  # code is set by keep, here
. "$(dirname "$0")/lib.sh"

make_domain guest vda:qcow2:64M vdb:raw:32M
guest_write guest vda 0x61 0 3M
guest_write guest vda 0x62 60M 4M
guest_write guest vdb 0x63 2M 30M
for dev in vda vdb; do
  shadow guest $dev "$lab/$dev.raw"
done
keep --store "$store" --json backup guest
exits 0 "a domain is backed up"
point=$(json .point)

mkdir -m 0711 "$lab/pool"
virsh -q pool-create-as pool dir --target "$lab/pool" >/dev/null || bail "no pool"
cleanup_fn virsh -q pool-destroy pool

# volumes: the names in the pool, on one line.
volumes ()
{
  virsh -q vol-list pool | awk '{ print $1 }' | sort | xargs
}

keep --store "$store" --json restore guest --pool pool --define --name copy
exits 0 "a restore into a pool, of the machine that virt-keep runs on"
cleanup_fn remove_domain copy
is "$(volumes)" "copy-vda.qcow2 copy-vdb.qcow2" "libvirt has the volumes, and nothing else is in the pool"
for dev in vda vdb; do
  holds "$dev has the bytes of the instant" same_bytes "$lab/pool/copy-$dev.qcow2" "$lab/$dev.raw"
done
is "$(virsh vol-dumpxml copy-vda.qcow2 --pool pool | grep -o "format type='[a-z0-9]*'")" "format type='qcow2'" "libvirt knows that it is a qcow2"
is "$(json .files)" "[\"$lab/pool/copy-vda.qcow2\",\"$lab/pool/copy-vdb.qcow2\"]" "the result has their paths"
virsh -q destroy guest
holds "the domain starts on them" virsh -q start copy
virsh -q destroy copy

before=$(digest "$lab/pool/copy-vda.qcow2")
keep --store "$store" --json restore guest --pool pool --name copy --disk vda
exits 5 "a volume that exists is refused"
is "$(digest "$lab/pool/copy-vda.qcow2")" "$before" "and untouched"
keep --store "$store" --json restore guest --pool pool --name copy --disk vdb --format raw
exits 0 "one disk, raw, beside it"
holds "has the bytes of the instant" cmp "$lab/pool/copy-vdb.raw" "$lab/vdb.raw"
keep --store "$store" --json restore guest --pool nowhere
exits 3 "a pool that does not exist is not found"

# ---- another machine: libvirt's own transport, with a stand-in for ssh alone ------

cat >"$lab/ssh" <<'EOF'
#!/bin/bash
while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
shift 2
exec sh -c "$*"
EOF
chmod +x "$lab/ssh"
remote="qemu+ssh://elsewhere/$([ "$(id -u)" = 0 ] && echo system || echo session)?command=$lab/ssh"
if ! virsh -c "$remote" -q list >/dev/null 2>"$lab/said"; then
  skip "a restore into a pool of another machine" "$(tail -n 1 "$lab/said")"
else
  keep -c "$remote" --store "$store" --json restore guest --pool pool --name far
  exits 0 "a restore into a pool of another machine"
  is "$(volumes)" "copy-vda.qcow2 copy-vdb.qcow2 copy-vdb.raw far-vda.qcow2 far-vdb.qcow2" "libvirt there has the volumes"
  for dev in vda vdb; do
    holds "$dev has the bytes of the instant" same_bytes "$lab/pool/far-$dev.qcow2" "$lab/$dev.raw"
  done
  keep -c "$remote" --store "$store" --json restore guest --pool pool --name far --format raw --disk vda
  exits 0 "raw, too"
  holds "it has the bytes of the instant" cmp "$lab/pool/far-vda.raw" "$lab/vda.raw"
  holds "and holes where it had them" test "$(du -k "$lab/pool/far-vda.raw" | cut -f1)" -lt $((12 * 1024))
  keep -c "$remote" --store "$store" --json restore guest --pool pool --name far
  exits 5 "a volume that exists there is refused"

  # begun VOLUME: it says that it is not finished.
  # shellcheck disable=SC2317  # called by holds
  begun ()
  {
    [ "$(head -c 22 "$1")" = "virt-keep: the restore" ]
  }

  # kill_when_begun VOLUME PID: as soon as it says so, in the background.
  kill_when_begun ()
  {
    perl -e '
      my ($volume, $pid) = @ARGV;
      while (kill 0, $pid) {
        my $said = "";
        if (open my $in, "<", $volume) { read $in, $said, 22 }
        kill "KILL", $pid if $said eq "virt-keep: the restore";
        select undef, undef, undef, 0.002;
      }' "$@" &
  }

  # Killed while the second disk is sent, neither looks finished.
  for n in 1 2 3 4 5 6; do
    keep_in_background -c "$remote" --store "$store" --json restore guest --pool pool --name "killed$n"
    kill_when_begun "$lab/pool/killed$n-vdb.qcow2" "$keeper"
    keep_ends 60
    [ "$code" = 137 ] && begun "$lab/pool/killed$n-vda.qcow2" && break
  done
  is "$code" 137 "a restore is killed in the second disk"
  holds "the first disk does not look finished" begun "$lab/pool/killed$n-vda.qcow2"
  keep -c "$remote" --store "$store" --json restore guest --pool pool --name "killed$n"
  exits 0 "and the same command makes both anew"
  for dev in vda vdb; do
    holds "with the bytes of the instant" same_bytes "$lab/pool/killed$n-$dev.qcow2" "$lab/$dev.raw"
  done

  # What a killed restore leaves says what it is, and goes when the next one comes.
  virsh -q vol-create-as pool late-vda.qcow2 1M --format raw
  printf 'virt-keep: the restore of %s to this place was not finished\n' "$point" | dd of="$lab/pool/late-vda.qcow2" conv=notrunc status=none
  keep -c "$remote" --store "$store" --json restore guest --pool pool --name late --disk vda
  exits 0 "what a killed restore has left there is made anew"
  holds "with the bytes of the instant" same_bytes "$lab/pool/late-vda.qcow2" "$lab/vda.raw"
fi

is "$(find "$lab/pool" -maxdepth 1 -name '*virt-keep-restore*')" "" "nothing hidden is left"

done_testing
