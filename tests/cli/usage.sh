#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: whatever is wrong with a command line, a store or a manifest, virt-keep
# ends with the exit code that the manual names and one sentence about it, and
# with --json with one JSON document.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# fails CODE CLASS CLAIM ARGUMENT...: virt-keep fails as it should, for people
# and, with --json before the command and behind it, for programs.
fails ()
{
  local expected=$1 class=$2 claim=$3 complaint='' said
  shift 3
  keep "$@"
  [ "$code" = "$expected" ] || complaint="exit code $code instead of $expected"
  [ ! -s "$out" ] || complaint="$complaint; standard output is not empty"
  mapfile said <"$err"
  [[ ${#said[@]} = 1 && ${said[0]} == *$'\n' ]] || complaint="$complaint; not one line on standard error"
  [[ ${said[0]:-} == "virt-keep: "?* ]] || complaint="$complaint; standard error does not say who complains"
  keep --json "$@"
  [ "$code" = "$expected" ] || complaint="$complaint; exit code $code with --json"
  is_failure "$expected" "$class" || complaint="$complaint; --json gives no proper failure"
  keep "$@" --json
  is_failure "$expected" "$class" || complaint="$complaint; --json at the end gives no proper failure"
  if [ -z "$complaint" ]; then
    ok "$claim: exit code $expected"
  else
    not_ok "$claim: exit code $expected"
    diag "virt-keep $*: ${complaint#; }"
    diag "stdout: $(head -c 1000 "$out")"
    diag "stderr: $(head -c 1000 "$err")"
  fi
}

# The last virt-keep printed one JSON document, about a failure of this class.
is_failure ()
{
  local said
  mapfile said <"$err"
  [ "$(json_get "$out" .schema .ok .exit_code .error.class .error.message)" = "1
false
$1
$2
$(printf %s "${said[@]#virt-keep: }")" ]
}

# ---- help and version ----------------------------------------------------------

for option in --help -h; do
  keep $option
  exits 0 "$option"
  like "$(cat "$out")" "Usage:" "$option says how to use it"
  is "$(cat "$err")" "" "$option says it on standard output"
done
for option in --version -V; do
  keep $option
  exits 0 "$option"
  like "$(cat "$out")" '^virt-keep [0-9]+\.[0-9]+\.[0-9]+$' "$option prints name and number"
done
for command in $("$VIRT_KEEP" complete commands); do
  keep "$command" --help
  exits 0 "$command --help"
  like "$(cat "$out")" "virt-keep $command " "$command --help is about the command"
done

# ---- bad command lines ---------------------------------------------------------

dir=$scratch/target
fails 2 usage "no command"
fails 2 usage "a command that is none" frobnicate
fails 2 usage "an option that is none" --frobnicate list
fails 2 usage "an option that the command does not have" list --mode push
keep list --store
exits 2 "an option without its value"
fails 2 usage "backup without a domain" --store "$scratch/store" backup
fails 2 usage "a backup of all and of one" --store "$scratch/store" backup --all one
fails 2 usage "all together" --store "$scratch/store" backup --all --together
fails 2 usage "jobs of domains that are backed up together" --store "$scratch/store" backup one two --together --jobs 2
fails 2 usage "no number of jobs" --store "$scratch/store" backup one two --jobs 0
fails 2 usage "an order that there is not" --store "$scratch/store" backup one two --order size
fails 2 usage "an exclusion from domains that are named" --store "$scratch/store" backup one two --exclude-domain two
fails 2 usage "an estimate of all domains" --store "$scratch/store" backup --all --estimate
fails 2 usage "show without a point" --store "$scratch/store" show
fails 2 usage "show of two points" --store "$scratch/store" show one two
fails 2 usage "abort without a domain" abort
fails 2 usage "prove of nothing" --store "$scratch/store" prove
fails 2 usage "prove of one and of all" --store "$scratch/store" prove one --all
fails 2 usage "prove in no time" --store "$scratch/store" prove one --timeout 0
fails 2 usage "a time-out that is none" --store "$scratch/store" prove one --timeout soon
fails 2 usage "an expectation that is none" --store "$scratch/store" prove one --expect luck
fails 2 usage "a regular expression that is none" --store "$scratch/store" prove one --expect 'console:('
fails 2 usage "a port that is none" --store "$scratch/store" prove one --expect port:65536
fails 3 not-found "a script that is not there" --store "$scratch/store" prove one --script "$scratch/none"
fails 5 refused "a script without end" --store "$scratch/store" prove one --script /dev/zero
fails 2 usage "restore without a target" --store "$scratch/store" restore one
fails 2 usage "restore with a name that nobody defines" --store "$scratch/store" restore one --to "$dir" --name two
fails 2 usage "restore to a format that is none" --store "$scratch/store" restore one --to "$dir" --format vmdk
fails 2 usage "restore to a pool with a domain's option" --store "$scratch/store" restore one --pool pool --start
fails 2 usage "restore to a target without a disk" --store "$scratch/store" restore one --target /dev/vg/x
fails 2 usage "restore to a target without a place" --store "$scratch/store" restore one --target vda=
fails 2 usage "restore of a disk to two targets" --store "$scratch/store" restore one --target vda=/a --target vda=/b
fails 2 usage "restore of a file to nowhere" --store "$scratch/store" restore one --file domain.xml
fails 2 usage "restore of a file and a disk" --store "$scratch/store" restore one --to "$dir" --file domain.xml --disk vda
fails 2 usage "a delta to a directory" --store "$scratch/store" restore one --to "$dir" --delta
fails 2 usage "in place and elsewhere" --store "$scratch/store" restore one --to "$dir" --in-place
fails 2 usage "in place in another format" --store "$scratch/store" restore one --in-place --format raw
fails 2 usage "a delta into compressed images" --store "$scratch/store" restore one --in-place --delta --compress
for size in 0 100 256 3K 4M 1G 64k1 -1 0x200 K 18446744073709551616 2097153; do
  fails 2 usage "clusters of $size" --store "$scratch/store" restore one --to "$dir" --cluster-size "$size"
done
fails 2 usage "compressed raw images" --store "$scratch/store" restore one --to "$dir" --format raw --compress
fails 2 usage "compressed images of which the size is to be known" --store "$scratch/store" restore one --to "$dir" --compress --preallocation full
fails 2 usage "a network without another" --store "$scratch/store" restore one --to "$dir" --define --network default
fails 2 usage "boot of nothing" --store "$scratch/store" boot
fails 2 usage "boot of a point and the end of a boot" --store "$scratch/store" boot one --discard two
fails 2 usage "a boot that is finished nowhere" boot --finish one
fails 2 usage "memory for a domain that is thrown away" boot --discard one --memory 1G
fails 2 usage "memory that is none" --store "$scratch/store" boot one --memory much
fails 2 usage "too little memory" --store "$scratch/store" boot one --memory 1K
fails 2 usage "more memory than there are numbers" --store "$scratch/store" boot one --memory 99999999T
fails 2 usage "a name with a slash for a booted domain" --store "$scratch/store" boot one --name a/b
fails 2 usage "no network, in the wrong word" --store "$scratch/store" boot one --network ""
fails 2 usage "a mode that is none" --store "$scratch/store" backup one --mode sideways
fails 2 usage "a level that is none" --store "$scratch/store" backup one --level some
fails 2 usage "a choice for --monitor that is none" --store "$scratch/store" backup one --monitor perhaps
fails 2 usage "a way of showing progress that is none" --store "$scratch/store" backup one --progress loud
fails 2 usage "a transport that is none" --store "$scratch/store" backup one --mode pull --transport pigeon
fails 2 usage "a transport in push mode" --store "$scratch/store" backup one --mode push --transport tls
fails 2 usage "a data address that is none" --store "$scratch/store" backup one --mode pull --transport tls --data-address host:port
fails 2 usage "certificates from nowhere" --store "$scratch/store" backup one --mode pull --transport tls --tls-creds ""
fails 2 usage "a scratch directory in push mode" --store "$scratch/store" backup one --mode push --scratch-dir /var/tmp
for command in "backup one" list "show one" "restore one --to $dir"; do
  # shellcheck disable=SC2086  # words
  fails 2 usage "$command without a store" $command
done
fails 2 usage "an empty name of a store" --store "" list
fails 2 usage "a kind of store that is none" --store floppy:A list
fails 2 usage "an image store without a path" --store image: list
fails 2 usage "a store that is a URL of another kind" --store "http://host$scratch/store" list
fails 2 usage "a scratch directory without a name" --store "$scratch/store" backup one --mode pull --scratch-dir ""
fails 2 usage "templates in a directory without a name" --store "$scratch/store" backup one --templates ""
fails 2 usage "a chain of no points" --store "$scratch/store" backup one --max-chain 0
fails 2 usage "a chain that is no number" --store "$scratch/store" backup one --max-chain x
for wrong in 0 x -1 1X 1MM vda= =1M vda=0 9223372036854775808 9000000T; do
  fails 2 usage "the rate '$wrong'" --store "$scratch/store" backup one --max-rate "$wrong"
done
fails 2 usage "a scratch reserve that is no size" --store "$scratch/store" backup one --mode pull --scratch-reserve x
fails 2 usage "a scratch reserve in push mode" --store "$scratch/store" backup one --mode push --scratch-reserve 1M
fails 2 usage "a guard without an order" guard
fails 2 usage "a threshold below zero" --store "$scratch/store" backup one --threshold -1
fails 2 usage "a word that --quiesce does not know" --store "$scratch/store" backup one --quiesce perhaps
fails 2 usage "a freeze limit of nothing" --store "$scratch/store" backup one --freeze-limit 0
fails 2 usage "a freeze limit of hours" --store "$scratch/store" backup one --freeze-limit 2h
fails 2 usage "file systems to freeze without a freeze" --store "$scratch/store" backup one --quiesce never --freeze-mount /
fails 2 usage "a file system to freeze without a path" --store "$scratch/store" backup one --freeze-mount ""
fails 2 usage "a directory of hooks without a name" --store "$scratch/store" backup one --hook-dir ""
fails 2 usage "a limit on hooks without hooks" --store "$scratch/store" backup one --hook-timeout 5s
fails 2 usage "a limit of nothing on hooks" --store "$scratch/store" backup one --hook-dir / --hook-timeout 0
fails 2 usage "an estimate of several domains" --store "$scratch/store" backup one two --together --estimate
fails 2 usage "a threshold for several domains" --store "$scratch/store" backup one two --together --threshold 1
fails 2 usage "restore to a directory without a name" --store "$scratch/store" restore one --to ""
fails 2 usage "an empty name for a restored domain" --store "$scratch/store" restore one --to "$dir" --define --name ""
fails 2 usage "a name that libvirt does not allow" --store "$scratch/store" restore one --to "$dir" --define --name a/b
for wrong in "--port 0" "--port 65536" "--port x" "--port 1 --socket a" "--bind ::1" "--tls" "--tls-creds /etc" "--port 1 --bind ''" "--socket ''"; do
  eval "words=($wrong)"
  fails 2 usage "export $wrong" --store "$scratch/store" export one "${words[@]}"
done
keep --store "$scratch/store" export one --
exits 2 "export with a -- and no program"
keep --store "$scratch/store" --json export one -- true
exits 2 "export as JSON with a program"
keep --store "$scratch/store" export one two -- true
exits 2 "export of two points"
keep --store "$scratch/store" export -- true --json
exits 2 "export of a point and one word too many behind --"
is "$(cat "$out")" "" "and --json behind -- is not for virt-keep"
# With --to - standard output is an archive: what is wrong stands in standard error, wherever it is found.
# to_stderr CLAIM ARGUMENT...
to_stderr ()
{
  local claim=$1
  shift
  keep "$@"
  exits 2 "$claim"
  is "$(stat -c %s "$out") $(sed '/^virt-keep: /d' "$err" | json_get /dev/stdin .error.class)" "0 usage" "the document is on standard error"
}
to_stderr "a stream with an option that there is not" --json backup one --to - --no-such-option
to_stderr "one before the command" --no-such-option --json backup one --to=-
to_stderr "a stream of several domains" --json backup one two --to -
to_stderr "one with a configuration that is none" --config "$scratch/none" --json backup one --to -
keep --json backup one --to file --no-such-option
exits 2 "a wrong command line with --to FILE"
is "$(json_get "$out" .error.class)" usage "has its document on standard output"
keep --store "$scratch/store" show -- -a
exits 3 "behind -- an argument may begin with a dash"
keep --store "$scratch/store" -- show -- -a
exits 3 "a -- may stand before the command"
holds "none of them has made a directory" test ! -e "$scratch/store" -a ! -e "$dir"

# ---- what is not there ---------------------------------------------------------

fails 3 not-found "list of a store that is not there" --store "$scratch/store" list
fails 3 not-found "show from a store that is not there" --store "image:$scratch/store" show one
fails 3 not-found "restore from a store that is not there" --store "$scratch/store" restore one --to "$dir"
fails 3 not-found "a directory that is no store" --store "$scratch" list
keep --json --store "$scratch"/$'\xff' list
exits 3 "a name that is not UTF-8"
is "$(json_get "$out" .error.class)" not-found "gives JSON in UTF-8 all the same"
away="qemu+unix:///system?socket=$scratch/none"
fails 8 connection "status without libvirt" -c "$away" status
fails 8 connection "abort without libvirt" -c "$away" abort one
fails 8 connection "backup without libvirt" --store "$scratch/store" -c "$away" backup one
holds "and no store is made" test ! -e "$scratch/store"

# The QEMU driver within virt-keep itself, with its files in a directory of ours:
# a libvirt without libvirtd.
embedded="qemu:///embed?root=$scratch/embedded"
mkdir "$scratch/foreign"
echo "precious" >"$scratch/foreign/file"
keep -c "$embedded" status
if [ "$code" = 0 ]; then
  fails 5 refused "backup into a directory with foreign files" -c "$embedded" --store "$scratch/foreign" backup one
  fails 3 not-found "backup of a domain that is not there" -c "$embedded" -q --store "$scratch/empty" backup one --progress none
else
  skip "backup into a directory with foreign files" "no embedded QEMU driver"
  skip "backup of a domain that is not there" "no embedded QEMU driver"
fi
is "$(ls -A "$scratch/foreign"; cat "$scratch/foreign/file")" "file
precious" "a directory with foreign files is left as it was"

# ---- stores and manifests ------------------------------------------------------

store=$scratch/store
uuid=11111111-2222-3333-4444-555555555555
time=20260101T000000Z
point=$store/guest.$uuid/$time

new_store ()
{
  rm -rf "$store"
  mkdir "$store"
  echo '{"format":"virt-keep image store","version":1,"id":"0123abcd"}' >"$store/virt-keep-store.json"
}

# new_points PERL...: restore points that are in order, but for what each PERL does to the
# manifest $m before it is written.  The first is $point, the others are a minute apart.
new_points ()
{
  new_store
  perl -MJSON::PP -MDigest::SHA=sha256_hex -e '
    my ($store, $uuid, @changes) = @ARGV;
    my $image = "an image";
    my $digest = sha256_hex ($image);
    my $json = JSON::PP->new->utf8->canonical;
    mkdir "$store/guest.$uuid" or die;
    for my $i (0 .. $#changes) {
      my $id = sprintf "20260101T00%02d00Z", $i;
      my $m = {
        format => "virt-keep manifest", version => 1, id => $id, store => "0123abcd",
        domain => { name => "guest", uuid => $uuid }, host => "host", uri => "qemu:///system",
        times => { started => "2026-01-01T00:00:00.000000Z", instant => "2026-01-01T00:00:00.000000Z", finished => "2026-01-01T00:00:01.000000Z" },
        mode => "push", level => "full", requested => "auto", reason => undef, checkpoint => undef,
        versions => { virt_keep => "0.1.0", libvirt => "9.0.0", qemu => "7.2.0" },
        disks => [ { target => "vda", type => "file", source => "/vda", format => "qcow2", virtual_size => 1048576, level => "full",
                     bitmap => JSON::PP::false, bytes_moved => 8, image => "vda.qcow2", size => 8, sha256 => $digest } ],
        left_out => [ { target => "sda", reason => "empty", message => "there is no medium in the drive" } ],
        files => [ { name => "domain.xml", role => "domain-xml", size => 1, sha256 => $digest } ],
        closed => { proven => JSON::PP::true, method => "monitor" }, warnings => [] };
      eval "$changes[$i]; 1" or die $@;
      my $dir = "$store/guest.$uuid/$id";
      mkdir $dir or die;
      for (["vda.qcow2", $image], ["manifest.json", $json->encode ($m)]) {
        open my $file, ">:raw", "$dir/$_->[0]" or die;
        print $file $_->[1];
        close $file or die;
      }
    }' "$store" "$uuid" "$@" || bail "no restore points can be made"
}

new_point ()
{
  new_points "$1"
}

new_point ''
keep --store "$store" --json list
exits 0 "a store with a point in order"
is "$(json_get "$out" '.points[0].state' '.points[0].point')" "ok
guest@$time" "which is listed as such"
for name in guest guest@latest guest@$time $uuid $uuid@latest $uuid@$time; do
  keep --store "$store" show "$name"
  exits 0 "show $name"
done
fails 3 not-found "a point that is not there" --store "$store" show guest@20260101T000001Z
fails 3 not-found "a point of another domain" --store "$store" show guest2
fails 3 not-found "restore of a point that is not there" --store "$store" restore other@latest --to "$dir"
fails 3 not-found "restore of a disk that is not there" --store "$store" restore guest --to "$dir" --disk vdz --progress none
fails 3 not-found "list of a domain without points" --store "$store" list other
"$VIRT_KEEP" --store "$store" list >/dev/full 2>"$err"
is $? 1 "a result that cannot be written: exit code 1"
"$VIRT_KEEP" --store "$store" list >&- 2>"$err"
is $? 1 "a standard output that is closed: exit code 1"

# list_all: what list says of the store, for people and for programs.
list_all ()
{
  keep --store "$store" list
  cp "$out" "$scratch/list"
  list_code=$code
  keep --store "$store" --json list
  cp "$out" "$scratch/list.json"
}

# damaged_point NUMBER CLAIM: list_all has seen the Nth point, from 0, as damaged, and it cannot
# be shown or restored.
damaged_point ()
{
  local number=$1 complaint='' command id
  id=$(json_get "$scratch/list.json" ".points[$number].point")
  [[ $id == *@2026* ]] || complaint="there is no such point"
  [ "$list_code" = 0 ] || complaint="$complaint; list ends with $list_code"
  grep -q "${id#guest}.*damaged" "$scratch/list" || complaint="$complaint; list does not say damaged"
  [[ $(json_get "$scratch/list.json" ".points[$number].state" ".points[$number].damage") == damaged?*"$store"* ]] || complaint="$complaint; list --json does not say what is damaged"
  for command in show "restore --to $dir"; do
    # shellcheck disable=SC2086  # words
    keep --store "$store" --json $command "guest@${id#*@}"
    [ "$code" = 9 ] || complaint="$complaint; $command ends with $code"
    is_failure 9 store || complaint="$complaint; $command --json gives no proper failure"
  done
  [ ! -e "$dir" ] || complaint="$complaint; restore has made its directory"
  if [ -z "$complaint" ]; then
    ok "damaged: $2"
  else
    not_ok "damaged: $2"
    diag "${complaint#; }"
    diag "stdout: $(head -c 1000 "$out")"
    diag "stderr: $(head -c 1000 "$err")"
  fi
}

# damaged CLAIM: the only point of the store is.
damaged ()
{
  list_all
  damaged_point 0 "$1"
}

mapfile -t cases <<'END'
not of our format|$m->{format} = "something else"
no version|delete $m->{version}
version 0|$m->{version} = 0
a version that is no number|$m->{version} = "1"
a later version|$m->{version} = 3
a later version, without its writer|$m->{version} = 9e15; delete $m->{versions}
the id of another point|$m->{id} = "20260101T000001Z"
no id|delete $m->{id}
an id outside|$m->{id} = "../20260101T000000Z"
no domain|delete $m->{domain}
a domain that is no object|$m->{domain} = "guest"
a name that is no string|$m->{domain}{name} = 7
a name that is empty|$m->{domain}{name} = ""
no UUID|delete $m->{domain}{uuid}
no times|delete $m->{times}
no instant|delete $m->{times}{instant}
times that are an array|$m->{times} = []
no versions|delete $m->{versions}
a mode that is no string|$m->{mode} = []
no level|delete $m->{level}
disks that are an object|$m->{disks} = {}
a disk that is a string|$m->{disks} = ["vda"]
a disk that is null|$m->{disks} = [undef]
no target|delete $m->{disks}[0]{target}
a target outside|$m->{disks}[0]{target} = "../vda"
no image|delete $m->{disks}[0]{image}
an image outside|$m->{disks}[0]{image} = "../vda.qcow2"
an image with a path|$m->{disks}[0]{image} = "/etc/passwd"
an image that is hidden|$m->{disks}[0]{image} = "."
an image with a long name|$m->{disks}[0]{image} = "a" x 300
an image that is not there|$m->{disks}[0]{image} = "vdb.qcow2"
an image of another size|$m->{disks}[0]{size} = 9
a size below zero|$m->{disks}[0]{size} = -8
a size that is a fraction|$m->{disks}[0]{size} = 8.5
a size that is a string|$m->{disks}[0]{size} = "8"
a virtual size beyond all|$m->{disks}[0]{virtual_size} = 1e300
a digest that is none|$m->{disks}[0]{sha256} = "x" x 64
a digest that is too short|$m->{disks}[0]{sha256} = "0"
a bitmap that is a string|$m->{disks}[0]{bitmap} = "no"
files that are a string|$m->{files} = "domain.xml"
a file outside|$m->{files}[0]{name} = "../domain.xml"
a file without a role|delete $m->{files}[0]{role}
a file that is a number|$m->{files} = [1]
disks left out that are a number|$m->{left_out} = 1
a disk left out for no reason|delete $m->{left_out}[0]{reason}
warnings that are numbers|$m->{warnings} = [1]
a proof that is a string|$m->{closed} = "yes"
END
new_points "${cases[@]#*|}"
list_all
is "$(json_get "$scratch/list.json" .points.length)" ${#cases[@]} "points are listed beside others that are damaged"
for number in "${!cases[@]}"; do
  damaged_point "$number" "${cases[number]%%|*}"
done

# raw_manifest CLAIM PERL: a manifest that is what PERL prints.
raw_manifest ()
{
  new_point ''
  perl -e "$2" >"$point/manifest.json"
  damaged "$1"
}

raw_manifest "an empty manifest" ''
raw_manifest "a manifest that is no JSON" 'print "domain: guest\n"'
raw_manifest "a manifest that ends early" 'print "{ \"format\": \"virt-keep man"'
raw_manifest "a manifest that is an array" 'print "[]"'
raw_manifest "a manifest that is a string" 'print "\"virt-keep manifest\""'
raw_manifest "a manifest that is null" 'print "null"'
raw_manifest "a manifest that is not UTF-8" 'print "{ \"format\": \"\xff\" }"'
raw_manifest "a manifest with zero bytes" 'print "\0" x 100'
raw_manifest "a manifest of arrays in arrays" 'print "[" x 1000000, "]" x 1000000'
raw_manifest "a manifest of objects in objects" 'print "{\"a\":" x 1000000'
raw_manifest "a manifest that is too long" 'print "{", " " x (17 << 20), "}"'

new_point ''
rm "$point/manifest.json"
damaged "no manifest"
new_point ''
rm "$point/manifest.json"
mkdir "$point/manifest.json"
damaged "a manifest that is a directory"
new_point ''
mv "$point/manifest.json" "$scratch/elsewhere.json"
ln -s "$scratch/elsewhere.json" "$point/manifest.json"
damaged "a manifest that is a symbolic link"
new_point ''
rm "$point/manifest.json"
mkfifo "$point/manifest.json"
damaged "a manifest that is a pipe"
new_point ''
mv "$point/vda.qcow2" "$scratch/elsewhere.qcow2"
ln -s "$scratch/elsewhere.qcow2" "$point/vda.qcow2"
damaged "an image that is a symbolic link"

new_point ''
mv "$point" "$store/guest.$uuid/20260101T000001Z"
damaged "a point whose directory was renamed"

new_point ''
mkdir -p "$store/guest.$uuid/.partial-20260102T000000Z" "$store/guest.$uuid/notes" "$store/lost+found"
echo "a note" >"$store/README"
keep --store "$store" --json list
is "$(json_get "$out" '.points[0].point' '.points[1]')" "guest@$time
(none)" "what is no point is not listed"

# bad_store CLAIM TEXT: a store whose description is TEXT cannot be read.
bad_store ()
{
  new_point ''
  printf '%s' "$2" >"$store/virt-keep-store.json"
  fails 9 store "$1" --store "$store" list
}

bad_store "a store with an empty description" ''
bad_store "a store with a description that is no JSON" 'store'
bad_store "a store of another format" '{"format":"something else","version":1,"id":"0123abcd"}'
bad_store "a store of a later version" '{"format":"virt-keep image store","version":2,"id":"0123abcd"}'
bad_store "a store with an id that is a path" '{"format":"virt-keep image store","version":1,"id":"../../ab"}'
bad_store "a store with an id that is a number" '{"format":"virt-keep image store","version":1,"id":12345678}'

done_testing
