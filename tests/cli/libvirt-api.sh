#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: the program uses nothing of libvirt's API that came after the version which configure asks
# for, unless LIBVIR_CHECK_VERSION says that the headers have it.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

command -v pkg-config >/dev/null || skip_all "pkg-config is not installed"
apis=()
for name in libvirt libvirt_qemu; do
  file=$(pkg-config --variable="${name}_api" libvirt 2>/dev/null)
  grep -qs " version='" "$file" || skip_all "no description of libvirt's API that has versions in it (Debian: libvirt-dev)"
  apis+=("$file")
done

# newer_than VERSION FILE...: "FILE:LINE: SYMBOL VERSION" of what came later and is not guarded.
newer_than ()
{
  perl - "$@" <<'PERL'
my ($limit, $apis, @files) = (shift, shift, @ARGV);
sub number { my @part = split /\./, shift; return ($part[0] * 1000 + $part[1]) * 1000 + ($part[2] // 0) }
my %since;
for my $api (split / /, $apis) {
  open my $in, '<', $api or die "$api: $!\n";
  while (<$in>) { $since{$2} = $3 if /<(macro|enum|typedef|struct|function|functype|variable) name='(\w+)'.* version='([\d.]+)'/ }
}
die "there are no versions\n" if !%since;
for my $file (@files) {
  open my $in, '<', $file or die "$file: $!\n";
  my $text = do { local $/; <$in> };
  $text =~ s{"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+'|/\*.*?\*/}{$& =~ s/[^\n]//gr}gse;
  my @guards;
  my $line = 0;
  for (split /\n/, $text) {
    $line++;
    if (/^\s*#\s*if/) { push @guards, scalar (/LIBVIR_CHECK_VERSION/); next }
    if (/^\s*#\s*else/) { $guards[-1] = 0; next }
    if (/^\s*#\s*endif/) { pop @guards; next }
    next if grep { $_ } @guards;
    for my $symbol (/\b(vir[A-Z]\w*|VIR_\w+)/g) {
      print "$file:$line: $symbol $since{$symbol}\n" if defined $since{$symbol} && number ($since{$symbol}) > number ($limit);
    }
  }
}
PERL
}

mapfile -d '' sources < <(find "$source_dir/tool" -name '*.[ch]' -print0)
needed=$(sed -n 's/.*\[libvirt >= \([0-9.]*\) .*/\1/p' "$source_dir/configure.ac")
like "$needed" '^[0-9]+\.[0-9]+\.[0-9]+$' "configure asks for a version of libvirt"
is "$(newer_than "$needed" "${apis[*]}" "${sources[@]}" 2>&1)" "" "nothing is used that came after $needed"

# That it would be found.
like "$(newer_than 5.9.0 "${apis[*]}" "${sources[@]}")" "/backup-begin.c:[0-9]+: virDomainBackupBegin 6.0.0" "what came after another one is found"
cat >"$scratch/guarded.c" <<'END'
/* virDomainBackupBegin */
#if LIBVIR_CHECK_VERSION (6, 0, 0)
int a = VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL;
#else
int b = virDomainBackupGetXMLDesc (0, 0);
#endif
END
is "$(newer_than 5.9.0 "${apis[*]}" "$scratch/guarded.c")" "$scratch/guarded.c:5: virDomainBackupGetXMLDesc 6.0.0" "what is guarded is not, and neither is what a comment says"

done_testing
